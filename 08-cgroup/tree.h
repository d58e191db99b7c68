/*
 * The cgroup v2 tree as this process sees it, and the files that are its interface: every group is
 * a directory, every setting a file in it. See cgroups(7) and the kernel's
 * Documentation/admin-guide/cgroup-v2.rst.
 *
 * From here on functions return 0 or a negative errno: a tool that has made a group has something
 * to undo before it ends.
 */
#ifndef CGROUP_TREE_H
#define CGROUP_TREE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>

enum { LONGEST_GROUP = 1024 }; /* a group's directory */

struct cgroup_tree {
    char top[256];           /* where it is mounted, mostly /sys/fs/cgroup */
    char own[LONGEST_GROUP]; /* the directory of the group that this process is in */
};

/*
 * Host. Find the tree. Without one, reports where cgroup v1 is instead and what to do, and returns
 * -ENOENT.
 */
int tree_find(struct cgroup_tree *tree);

/* Either side. Is GROUP the tree's top or below it? */
bool tree_holds(const struct cgroup_tree *tree, const char *group);

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

#endif
