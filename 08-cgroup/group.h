/*
 * One group: a directory of the cgroup v2 tree, in which every setting is a file. See cgroups(7)
 * and the kernel's Documentation/admin-guide/cgroup-v2.rst.
 *
 * From here on functions return 0 or a negative errno: a tool that has made a group has something
 * to undo before it ends.
 */
#ifndef CGROUP_GROUP_H
#define CGROUP_GROUP_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>

enum { LONGEST_GROUP = 1024 }; /* a group's directory */

/*
 * Either side. The next group directly below GROUP, whose directory is open as DIRECTORY (NULL if
 * it could not be opened): its path goes into PATH of LONGEST_GROUP bytes. False if there is none.
 */
bool group_next(DIR *directory, const char *group, char *path);

/*
 * Either side. The text of FILE in the directory GROUP, without the last newline. Returns -errno,
 * and an empty text, if it can't be read; says nothing.
 */
int group_read(const char *group, const char *file, char *text, size_t size);

/* Host. Write VALUE to FILE of GROUP, as echo does. Returns -errno; says nothing. */
int group_write(const char *group, const char *file, const char *value);

/* Either side. The number behind KEY in one of the flat files "KEY NUMBER\n…"; -1 if there's none.
 */
long long group_number(const char *group, const char *file, const char *key);

/* Either side. The first process that is in GROUP itself: its pid, and its name into NAME; 0 if
 * there is none. */
int group_first_process(const char *group, char *name, size_t size);

/* Either side. May this user make groups in GROUP and move processes there? */
bool group_is_writable(const char *group);

/*
 * Host. Make the group NAME in PARENT, or with NULL one with a name that nobody else has; its path
 * goes into PATH of LONGEST_GROUP bytes. Reports; returns -errno.
 */
int group_make(const char *parent, const char *name, char *path);

/* Either side. Is NAME, without the path, one that group_make() has made up? */
bool group_is_made_up(const char *name);

/* Host. Kill what is in GROUP and below, and wait until nothing is. Returns -errno; says nothing.
 * Needs Linux 5.14. */
int group_empty(const char *group);

/* Host. Remove GROUP and the groups below it, the lowest first: rmdir(2) takes a group without
 * children or processes. Returns -errno; says nothing. */
int group_remove(const char *group);

#endif
