/* One more process in a box that runs: 'full exec', and the view of 'full inspect'. */
#ifndef JOIN_H
#define JOIN_H

#include "spec.h"

/* Host. ARGV[0] is "exec", WHOLE the command line with the tool's name in front. Returns the exit
 * status that the tool should have. */
int command_exec(int argc, char **argv, char **whole);

/*
 * Host. Print the view of the running BOX beside the host's, as a command in it would see it.
 * Returns the exit status of the observer. Errors end the tool. WHOLE as above.
 */
int join_view(const struct spec *box, char **whole);

#endif
