/*
 * One group: a directory of the cgroup v2 tree, in which every setting is a file. See cgroups(7)
 * and the kernel's Documentation/admin-guide/cgroup-v2.rst. Chapter 7's claim, with the line "group
 * PATH", ends and removes it.
 *
 * Errors are returned as -errno, with errno set too, and not reported.
 */
#ifndef CGROUP_GROUP_H
#define CGROUP_GROUP_H

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

#endif
