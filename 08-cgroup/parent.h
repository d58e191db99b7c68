/* Where in the tree a group can be made: by root, below systemd, in a branch that was delegated. */
#ifndef CGROUP_PARENT_H
#define CGROUP_PARENT_H

#include "cgroup.h"

/*
 * Host. Find the parent of a new group, and note it in GROUP, whose tree is known: WANTED, as the
 * user names it, or with NULL "ten-steps" at the top of the tree or in the nearest group that is
 * the user's. With HANDS_DOWN it has to be one without processes. Where there is none but the group
 * in which this process stands alone, the process moves into a leaf below it. Reports; returns
 * -errno.
 */
int parent_find(struct cgroup *group, const char *wanted, bool hands_down);

/* Host. Move back, if the process has moved, when the group has been removed. Says nothing. */
void parent_leave(struct cgroup *group);

#endif
