/*
 * One group: a directory of the cgroup v2 tree, in which every setting is a file. See cgroups(7)
 * and the kernel's Documentation/admin-guide/cgroup-v2.rst. Chapter 7's claim, with the line "group
 * PATH", ends and removes it.
 *
 * Errors are returned as -errno, with errno set too, and not reported.
 */
#ifndef CGROUP_GROUP_H
#define CGROUP_GROUP_H

#include <stdbool.h>
#include <stddef.h>

/* Either side. The text of FILE in the directory GROUP, without the last newline; empty after an
 * error. */
int group_read(const char *group, const char *file, char *text, size_t size);

/* Host. Write VALUE to FILE of GROUP, as echo does. */
int group_write(const char *group, const char *file, const char *value);

/* Either side. The number after KEY in a flat file "KEY NUMBER\n…", or with KEY "" the one at the
 * start of FILE; -1 if there is none. */
long long group_number(const char *group, const char *file, const char *key);

/* Host. Create the group PATH. */
int group_make(const char *path);

/* The rest is for later: the tree as this process sees it, and where in it there is room for a
 * group. That is at the top, or in a branch that is delegated to the user. */

/* Host. Where the tree is mounted, usually /sys/fs/cgroup; NULL if it isn't. */
const char *tree_top(void);

/*
 * Host. Find the directory for a new group, and put its path into PARENT, of PATH_MAX bytes:
 * WANTED, as a path or from the top of the tree; or, if that is NULL, "ten-steps", which may not
 * exist yet, at the top or in the nearest group that belongs to the user. With HANDS_DOWN, that
 * group must have no processes. Returns 0 or, after report(), -errno.
 */
int tree_parent(const char *wanted, bool hands_down, char *parent);

#endif
