/* What boxes use of the machine, from the accounts of their cgroups (chapter 8). */
#ifndef STATS_H
#define STATS_H

#include "spec.h"

/* Host. ARGV[0] is "stats". Returns the tool's exit status. */
int command_stats(int argc, char **argv);

/* What a box uses, as texts for a table; "-" where there is no account of it. */
struct use {
    char cpu[32];    /* processor time, and its share since the box was made */
    char memory[72]; /* now, and the limit */
    char pids[72];   /* now, and the limit */
};

/* Host. What the running box STATE uses now. */
struct use stats_read(const struct spec *state);

#endif
