/* Programs: what the kernel needs to start one, and starting it in place of this process. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdnoreturn.h>

/* Box. Unblock each signal and set it to its default: a command begins like that. */
void signals_reset(void);

/*
 * Box. Become COMMAND, looked up along $PATH, with no file descriptor but 0, 1 and 2, and with each
 * signal unblocked and at its default. If that can't be done, says why and ends with 127 (not
 * found) or 126 (found and can't be executed).
 */
noreturn void exec_command(char **command);

#endif
