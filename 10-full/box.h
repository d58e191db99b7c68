/* The two sides of a container: in the box from clone3(2) to execve(2), on the host until the last
 * trace of the box is removed. */
#ifndef BOX_H
#define BOX_H

#include <stdnoreturn.h>

#include "../02-uts/spawn.h"
#include "etc.h"

/* Host, in container.c. Run the box to its end. Returns the tool's exit status. */
int container_run(struct spec *spec);

/* Box. Build it around this process and become the command. An error ends the tool. */
noreturn void box_run(struct spec *spec, struct child *child);

/* Box, once it is built. Become the command as ACCOUNT, with TERMINAL unless that is -1. */
noreturn void box_become(const struct spec *spec, const struct account *account, int terminal,
                         struct child *child);

#endif
