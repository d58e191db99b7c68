/*
 * Why the kernel says no on this machine, and the way out. The same few answers (not root, an outer
 * container, a distribution's restriction) hide behind the same few error numbers.
 */
#ifndef CAUSE_H
#define CAUSE_H

#include <stdbool.h>
#include <stddef.h>

/* Either side. Write a hint for ERROR into TEXT, or leave it empty if nothing useful is known. */
void cause_of(int error, char *text, size_t size);

/* Host. Why an ordinary user may not make a user namespace; empty if nothing useful is known. errno
 * stays as it was. */
const char *cause_no_user_namespace(void);

/* Either side. Is root here another than the machine's own? See user_namespaces(7). */
bool in_user_namespace(void);

/* Either side. The first line of PATH into LINE without its newline; empty if it can't be read. */
void first_line(const char *path, char *line, size_t size);

#endif
