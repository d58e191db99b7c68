/* Programs: find one, and become it. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdnoreturn.h>

/* Box. Unblock each signal and set it to its default, as a command expects. */
void signals_reset(void);

/*
 * Box. Become COMMAND, looked up along $PATH, with no file descriptor but 0, 1 and 2, and with each
 * signal unblocked and at its default. On failure, report why and exit with 127 (it, or what starts
 * it, was not found) or 126 (it can't be executed).
 */
noreturn void exec_command(char **command);

#endif
