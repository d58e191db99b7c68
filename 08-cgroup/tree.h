/* The cgroup v2 tree as this process sees it: where it is mounted, where we are in it. */
#ifndef CGROUP_TREE_H
#define CGROUP_TREE_H

#include <stdbool.h>

#include "group.h"

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

#endif
