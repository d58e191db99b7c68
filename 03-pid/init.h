/*
 * A small init, as PID 1 of a pid namespace. The kernel hands every orphan of the namespace to PID
 * 1, which must reap it, and spares PID 1 each signal that it has no handler for.
 */
#ifndef INIT_H
#define INIT_H

#include <stdnoreturn.h>

#include "../02-uts/spawn.h"

/*
 * Box, as PID 1, in place of spawn_exec(). Run COMMAND as a child of one's own, pass signals on to
 * it, reap what is orphaned, and end with the command's status; the kernel then ends whatever is
 * left.
 */
noreturn void init_exec(const struct child *box, char **command);

#endif
