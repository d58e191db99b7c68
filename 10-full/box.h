/* The box's side of a container: from the first instruction of the new process to its execve(2). */
#ifndef BOX_H
#define BOX_H

#include <stdnoreturn.h>

#include "../02-uts/spawn.h"
#include "account.h"
#include "spec.h"

/* Box. Build it around this process and become the command. Errors end the tool. */
noreturn void box_run(struct spec *spec, struct child *child);

/* Box, once it is built. Become the command, as ACCOUNT and with TERMINAL, if it has one. */
noreturn void box_become(const struct spec *spec, const struct account *account, int terminal,
                         struct child *child);

#endif
