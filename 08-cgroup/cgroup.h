/*
 * A group of our own in the cgroup v2 tree: made before the command is, so that the command is born
 * in it, and removed when the command has ended, with all that is still in it.
 *
 * A group stays when the process that made it is killed. So it has a line in a claim, see
 * 07-net/claim.h. All our groups lie below one, "ten-steps", which goes with the last of them:
 * rmdir(2) refuses as long as there is another.
 */
#ifndef CGROUP_H
#define CGROUP_H

#include "../07-net/claim.h"
#include "limit.h"
#include "tree.h"

struct cgroup {
    char path[LONGEST_GROUP]; /* its directory */
    int directory;            /* it, open: CLONE_INTO_CGROUP takes that */
    struct cgroup_tree tree;  /* where it is */
};

/* What to make. */
struct cgroup_plan {
    const char *name;   /* NULL: a name that nobody else has */
    const char *parent; /* in the tree, from its top: "/demo"; NULL: "ten-steps" at the top, or in
                           one's own branch */
    const char *wanted; /* controllers to have for counting, if they are to be had; or NULL */
    struct cgroup_limits limits;
};

/* Host. End the tool with an error if NAME can't be a group's name. */
void cgroup_check_name(const char *name);

/*
 * Host. Make the group with its limits, with a line in CLAIM, which the caller has taken. Where the
 * only group that is ours is the one in which this process stands, alone, it moves into a leaf
 * below it until cgroup_leave(): a group with processes hands no controllers down. Reports an error
 * and returns it as -errno; what was made by then, claim_end() removes.
 */
int cgroup_make(struct cgroup *group, const struct cgroup_plan *plan, struct claim *claim);

/* Host. Let go of the group, which claim_end() has removed, and of the leaf. */
void cgroup_leave(struct cgroup *group);

/*
 * Box, in new mount and cgroup namespaces, born in the group: let the place where the host has the
 * tree show the box's branch of it alone, read-only. An error ends the tool.
 */
void cgroup_mount(const struct cgroup_tree *tree);

#endif
