/* The cgroup v2 tree as this process sees it, and where in it there is room for a group: at the
 * top, below systemd, in a branch that was delegated. */
#ifndef CGROUP_TREE_H
#define CGROUP_TREE_H

#include <stdbool.h>

/* Host. Where the tree is mounted, mostly /sys/fs/cgroup; NULL if it isn't. */
const char *tree_top(void);

/*
 * Host. Find the directory that a new group goes into, of PATH_MAX bytes: WANTED, as a path or from
 * the top of the tree; or with NULL "ten-steps", which may have to be made, at the top or in the
 * nearest group that is the user's. With HANDS_DOWN that has to be one without processes. Reports
 * an error and returns it as -errno.
 */
int tree_parent(const char *wanted, bool hands_down, char *parent);

#endif
