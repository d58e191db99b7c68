/*
 * A small init, as PID 1 of a pid namespace. The kernel hands every orphan of the namespace to PID
 * 1, which must reap it, and gives PID 1 no signal that it neither handles nor blocks.
 */
#ifndef INIT_H
#define INIT_H

#include "../02-uts/spawn.h"

/*
 * Box, as PID 1. Returns in a new process, which goes on to run the command with spawn_exec(BOX).
 * PID 1 stays behind as init: it passes signals on to that process, reaps orphans, and ends with
 * the command's status. The kernel then kills whatever is left.
 */
void init_stay_behind(struct child *box);

#endif
