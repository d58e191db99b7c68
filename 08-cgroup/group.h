/*
 * One group: a directory of the cgroup v2 tree, in which every setting is a file. See cgroups(7)
 * and the kernel's Documentation/admin-guide/cgroup-v2.rst. What ends and removes a group is
 * chapter 7's claim, with the line "group PATH".
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

/* Either side. The number behind KEY in one of the flat files "KEY NUMBER\n…", or with KEY "" the
 * one that FILE begins with; -1 if there is none. */
long long group_number(const char *group, const char *file, const char *key);

/* Host. Make the group PATH. */
int group_make(const char *path);

#endif
