/* The cgroup v2 tree as this process sees it: where it is, where we are in it, and where there is
 * room for a group: at the top, below systemd, in a branch that was delegated. */
#ifndef CGROUP_TREE_H
#define CGROUP_TREE_H

#include <stdbool.h>

#include "../07-net/claim.h"
#include "group.h"

struct cgroup_tree {
    const char *top;            /* where it is mounted, mostly /sys/fs/cgroup */
    char own[LONGEST_GROUP];    /* the directory of the group that this process was found in */
    char parent[LONGEST_GROUP]; /* and of the one that a new group goes into */
    struct claim aside;         /* on a leaf below OWN into which this process has moved */
};

/* Host. Where the tree is mounted, NULL if it isn't. */
const char *tree_top(void);

/*
 * Host. Find the tree, and in it the parent for a new group: WANTED, as the user names it, or with
 * NULL "ten-steps" at the top or in the nearest group that is the user's. With HANDS_DOWN it has to
 * be one without processes. Where there is none but the group in which this process stands alone,
 * the process moves into a leaf below it until tree_leave(). Reports; returns -errno.
 */
int tree_find(struct cgroup_tree *tree, const char *wanted, bool hands_down);

/* Host. Move back, if the process has moved, when the new group has been removed. */
void tree_leave(struct cgroup_tree *tree);

#endif
