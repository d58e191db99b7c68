/*
 * A group of our own in the cgroup v2 tree: made before the command is, so that the command is born
 * in it, and removed when the command has ended, with all that is still in it.
 *
 * A group stays when the process that made it is killed. So each group of ours bears a note (an
 * extended attribute) and its directory is held open and locked by its maker, flock(2): the kernel
 * lets go of that lock however the maker ends. A noted group that can be locked is a dead run's,
 * and the next run removes it.
 */
#ifndef CGROUP_H
#define CGROUP_H

#include "limit.h"
#include "tree.h"

struct cgroup {
    char path[LONGEST_GROUP];   /* its directory, below the tree's top */
    char parent[LONGEST_GROUP]; /* the directory above */
    char leaf[LONGEST_GROUP];   /* where this process makes room for it, see cgroup_make(), or "" */
    int directory;              /* it, open and locked: for spawn_into_cgroup() */
    struct cgroup_tree tree;
};

/* What to make. */
struct cgroup_plan {
    const char *name;   /* NULL: a name that nobody else has */
    const char *parent; /* in the tree, from its top: "/demo"; NULL: the top, or what is ours */
    unsigned wanted;    /* controllers to have for counting, if they are to be had */
    struct cgroup_limits limits;
};

/* Host. End the tool with an error if NAME can't be a group's name. */
void cgroup_check_name(const char *name);

/*
 * Host. Make the group with its limits, after removing those that killed runs have left. Where the
 * only group that is ours is the one in which this process stands, alone, it moves into a leaf
 * below it until cgroup_remove(): a group with processes hands no controllers down. Reports an
 * error and returns it as -errno, with nothing left behind.
 */
int cgroup_make(struct cgroup *group, const struct cgroup_plan *plan);

/* Host. End all processes in the group and wait until they are gone. Reports; returns -errno. */
int cgroup_kill(const struct cgroup *group);

/*
 * Host. Remove the group with all in it, and disable the controllers that nobody else needs and
 * that were off before. Reports; returns -errno.
 */
int cgroup_remove(struct cgroup *group);

/* Host. Remove the groups that killed runs have left. Reports; returns -errno. */
int cgroup_clear(void);

/*
 * Box, in new mount and cgroup namespaces, born in the group: let the place where the host has the
 * tree show the box's branch of it alone, read-only. An error ends the tool.
 */
void cgroup_mount(const struct cgroup_tree *tree);

#endif
