/* One more process in a box that runs: 'full exec', and the view of 'full inspect'. */
#ifndef JOIN_H
#define JOIN_H

#include "state.h"

/* Host. ARGV[0] is "exec". Returns the exit status that the tool should have. */
int command_exec(int argc, char **argv);

/*
 * Host. Print the view of the running box STATE beside the host's, as a command in it would see it.
 * Returns the exit status of the observer. Errors end the tool.
 */
int join_view(const struct state *state);

#endif
