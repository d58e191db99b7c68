/* Paths in a root directory that isn't trusted: whoever was root there may have planted links. */
#ifndef INSIDE_H
#define INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Either side. Open PATH with FLAGS as if the directory open as ROOT were "/" already: neither
 * "..", nor a link, nor one of /proc's leads out. RESOLVE adds to that, such as RESOLVE_NO_XDEV.
 * Returns the descriptor, which the caller closes, or -1 with errno. openat2(2)
 */
int open_inside(int root, const char *path, uint64_t flags, uint64_t resolve);

/*
 * Either side. Open the file PATH for reading, in the root that this process has by now. Returns
 * the descriptor, which the caller closes; or -1, also for what isn't a file: a fifo that nobody
 * writes to would hold the reader up for ever, and to open some devices does things.
 */
int open_file(const char *path);

/* Either side. The first line of PATH into LINE without its newline; empty if it can't be read. */
void first_line(const char *path, char *line, size_t size);

/* Either side. Are we in a user namespace other than the initial one? See user_namespaces(7). */
bool in_user_namespace(void);

#endif
