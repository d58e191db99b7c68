/* The cgroup v2 tree as this process sees it, and the places in it where a group can be created: at
 * the top, below systemd, or in a delegated branch. */
#ifndef CGROUP_TREE_H
#define CGROUP_TREE_H

#include <stdbool.h>

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
