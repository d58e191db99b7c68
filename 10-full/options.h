/* What 'full run' is asked for: docker's names and habits, so that fingers know them. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "spec.h"

enum { LONGEST_STOP = 2000000 /* seconds, as milliseconds in an int */ };

/* Host. Fill SPEC, which is zero, from the command line; ARGV[0] is "run". Mistakes end the tool.
 */
void run_options(struct spec *spec, int argc, char **argv);

/*
 * Host. Take OPTION if it is kept as it is, such as -d, -i, -t, -w, -u, or is a variable, -e: all
 * options of 'full exec' are. False for others.
 */
bool option_take(struct spec *spec, int option);

#endif
