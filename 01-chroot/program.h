/* Programs: what the kernel needs to start one, and starting it in place of this process. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>

/*
 * Either side. Look NAME up along $PATH, unless there is a "/" in it: PATH becomes the first file
 * of that name that can be executed, or else the first. False with errno if no such file is there.
 */
bool program_find(const char *name, char *path, size_t size);

/* Box. Unblock each signal and set it to its default: a command begins like that. */
void signals_reset(void);

/*
 * Box. Become COMMAND, looked up along $PATH, with no file descriptor but 0, 1 and 2, and with each
 * signal unblocked and at its default. If that can't be done, says why and ends with 127 (not
 * found) or 126 (found and can't be executed).
 */
noreturn void exec_command(char **command);

#endif
