/* The box's side of a container: from the first instruction of the new process to its execve(2). */
#ifndef BOX_H
#define BOX_H

#include <stdnoreturn.h>

#include "../02-uts/spawn.h"
#include "plan.h"

/* Box. Build it around this process and become the command. Errors end the tool. */
noreturn void box_run(struct plan *plan, struct child *child);

#endif
