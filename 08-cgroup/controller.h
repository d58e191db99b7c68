/*
 * Controllers: the parts of the kernel that count and limit (cpu, memory, pids, …).
 *
 * A group has the files of a controller only if its parent hands the controller down, in
 * cgroup.subtree_control, and the parent can hand down only what it has itself: so a controller is
 * enabled from the top of the tree downwards. And a group that hands controllers down must not hold
 * processes: all processes live in the leaves. Only the top of the tree is exempt.
 *
 * What has been enabled stays so, as with systemd and docker: others may rely on it by now.
 */
#ifndef CONTROLLER_H
#define CONTROLLER_H

#include "tree.h"

/*
 * Host. Enable controllers in TREE's parent and in all groups above it where they are off, so that
 * a new group in it has their files: all of NEEDED, a list with blanks; of WANTED what can be had.
 * Reports why not, and returns -errno; -ENOENT without a report if the parent isn't there any more.
 */
int controllers_enable(const struct cgroup_tree *tree, const char *needed, const char *wanted);

#endif
