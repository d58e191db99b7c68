/* Paths in a root directory that isn't trusted: somebody may have planted links there. */
#ifndef INSIDE_H
#define INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Either side. Open PATH with FLAGS as if the directory open as ROOT were "/" already: neither ".."
 * nor a link leads out, not even one of /proc's. RESOLVE adds restrictions, such as
 * RESOLVE_NO_XDEV. Returns the descriptor, which the caller closes, or -1 with errno. openat2(2)
 */
int open_inside(int root, const char *path, uint64_t flags, uint64_t resolve);

/*
 * Either side. Open the file PATH for reading, in the current root of this process. Returns the
 * descriptor, which the caller closes, or -1. Anything but a regular file is refused: a fifo that
 * nobody writes to would block the reader for ever, and opening a device can have side effects.
 */
int open_file(const char *path);

/* Either side. Read PATH's first line into LINE, without the newline; "" if it can't be read. */
void first_line(const char *path, char *line, size_t size);

/* Either side. Are we in a user namespace other than the initial one? See user_namespaces(7). */
bool in_user_namespace(void);

#endif
