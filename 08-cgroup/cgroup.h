/*
 * A group of our own in the cgroup v2 tree: made before the command is, so that the command is born
 * in it, and removed when the command has ended, with all that is still in it.
 *
 * A group stays when the process that made it is killed. So it has a line in a claim, see
 * 07-net/claim.h. All our groups lie below one, "ten-steps", which goes with the last of them:
 * rmdir(2) refuses as long as there is another.
 *
 * Controllers are the parts of the kernel that count and limit (cpu, memory, pids, …). A group has
 * the files of a controller only if its parent hands the controller down, in
 * cgroup.subtree_control, and the parent can hand down only what it has itself: so a controller is
 * enabled from the top of the tree downwards. And a group that hands controllers down must not hold
 * processes: all processes live in the leaves. Only the top of the tree is exempt.
 */
#ifndef CGROUP_H
#define CGROUP_H

#include <limits.h>

#include "../07-net/claim.h"
#include "limit.h"
#include "tree.h"

struct cgroup {
    char path[PATH_MAX]; /* its directory */
    int directory;       /* it, open: CLONE_INTO_CGROUP takes that */
};

/* What to make. */
struct cgroup_plan {
    const char *parent; /* as tree_parent() takes it */
    bool counted;       /* have cpu, memory and pids counted, where they can be had */
    struct cgroup_limits limits;
};

/*
 * Host. Make the group with its limits, and with a line in CLAIM, which the caller has taken.
 * Controllers that it needs are enabled above it, and stay so, as with systemd and docker: others
 * may rely on them by then. Reports an error and returns it as -errno; what was made by then,
 * claim_end() removes.
 */
int cgroup_make(struct cgroup *group, const struct cgroup_plan *plan, struct claim *claim);

/*
 * Box, in new mount and cgroup namespaces, born in the group: let the place where the host has the
 * tree show the box's branch of it alone, read-only. An error ends the tool.
 */
void cgroup_mount(void);

#endif
