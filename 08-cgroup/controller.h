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

/* Controllers are written as a set of bits; the order is the kernel's. */
enum {
    CONTROLLER_CPUSET = 1 << 0,
    CONTROLLER_CPU = 1 << 1,
    CONTROLLER_IO = 1 << 2,
    CONTROLLER_MEMORY = 1 << 3,
    CONTROLLER_PIDS = 1 << 5,
};

/* The controller that FILE belongs to: "cpu.max" to cpu; 0 for "cgroup.…". -1: to none we know. */
int controller_of(const char *file);

/*
 * Host. Enable controllers in PARENT and in all groups above it where they are off, so that a new
 * group below PARENT has their files: all of NEEDED; of WANTED what can be had. Reports why not,
 * and returns -errno; -ENOENT without a report if PARENT isn't there any more.
 */
int controllers_enable(const struct cgroup_tree *tree, const char *parent, unsigned needed,
                       unsigned wanted);

/* Host. Disable in GROUP all that can be disabled, so that it may hold processes again. */
void controllers_disable(const char *group);

#endif
