/* The two sides of a container, from clone3(2) on: to execve(2) in the box, and on the host to the
 * last trace of the box removed. */
#ifndef BOX_H
#define BOX_H

#include <stdnoreturn.h>

#include "../02-uts/spawn.h"
#include "account.h"
#include "spec.h"

/* Host, in container.c. Run the box to its end. Returns the exit status that the tool should have.
 */
int container_run(struct spec *spec);

/* Box. Build it around this process and become the command. Errors end the tool. */
noreturn void box_run(struct spec *spec, struct child *child);

/* Box, once it is built. Become the command, as ACCOUNT and with TERMINAL, if it has one. */
noreturn void box_become(const struct spec *spec, const struct account *account, int terminal,
                         struct child *child);

#endif
