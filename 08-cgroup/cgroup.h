/*
 * A group in the cgroup v2 tree, created before the command so that the command is born in it, and
 * removed when the command has ended, with everything still in it.
 *
 * A group outlives the process that created it, even if that is killed. So it has a line in a
 * claim, see 07-net/claim.h. Unless a parent is named, it lies below one, "ten-steps", which goes
 * with the last of them: rmdir(2) refuses as long as there is another.
 *
 * Controllers are the parts of the kernel that count and limit (cpu, memory, pids, …). A group has
 * the files of a controller only if its parent hands the controller down, in
 * cgroup.subtree_control, and a parent can hand down only what it has itself: controllers are
 * enabled from the top of the tree downwards. A group that hands controllers down must not hold
 * processes: they live in the leaves. Only the top of the tree is exempt.
 */
#ifndef CGROUP_H
#define CGROUP_H

#include <limits.h>

#include "../07-net/claim.h"
#include "group.h"
#include "limit.h"

struct cgroup {
    char path[PATH_MAX]; /* its directory */
    int directory;       /* it, open: CLONE_INTO_CGROUP takes that */
};

/* What to create. */
struct cgroup_plan {
    const char *parent; /* as tree_parent() takes it */
    bool counted;       /* count cpu, memory and pids where these controllers are available */
    struct cgroup_limits limits;
};

/*
 * Host. Create the group with its limits, and with a line in CLAIM, which the caller has taken.
 * Controllers that it needs are enabled above it and stay enabled: others may rely on them by then.
 * Returns 0 or, after report(), -errno; claim_end() removes what
 * was created before the error.
 */
int cgroup_make(struct cgroup *group, const struct cgroup_plan *plan, struct claim *claim);

/*
 * Box, in new mount and cgroup namespaces, born in the group. Mount the box's branch of the tree,
 * read-only, where the host's tree is. An error ends the tool.
 */
void cgroup_mount(void);

#endif
