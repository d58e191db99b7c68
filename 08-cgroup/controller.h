/*
 * Controllers: the parts of the kernel that count and limit (cpu, memory, pids, …).
 *
 * A group has the files of a controller only if its parent hands the controller down, in
 * cgroup.subtree_control, and the parent can hand down only what it has itself: so a controller is
 * enabled from the top of the tree downwards. And a group that hands controllers down must not hold
 * processes: all processes live in the leaves. Only the top of the tree is exempt.
 *
 * What we have enabled is noted on the directory itself, in an extended attribute, so that the last
 * run that needs a controller can disable it again, even if the run that enabled it was killed.
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

/* Room for the names of all of them. */
enum { CONTROLLER_NAMES = 128 };

/* The controller that FILE belongs to: "cpu.max" to cpu; 0 for "cgroup.…". -1: to none we know. */
int controller_of(const char *file);

/* SET in words, each behind PREFIX: "+cpu +memory". */
void controllers_name(unsigned set, const char *prefix, char *names, size_t size);

/* The controllers that FILE of GROUP lists. */
unsigned controllers_read(const char *group, const char *file);

/*
 * Host. Enable controllers in PARENT and in all groups above it where they are off, so that a new
 * group below PARENT has their files: all of NEEDED, or nothing is changed; of WANTED what can be
 * had. Reports why not, and returns -errno.
 */
int controllers_enable(const struct cgroup_tree *tree, const char *parent, unsigned needed,
                       unsigned wanted);

/* Host. Note on the new group GROUP that it is ours and uses SET. Returns -errno; says nothing. */
int controllers_note_use(const char *group, unsigned set);

/* Host. Has controllers_note_use() been called for GROUP? */
int controllers_are_used(const char *group);

/*
 * Host. Disable in GROUP, or in PARENT and above, what we have enabled there and nobody uses any
 * more. What can't be disabled stays, for a later run.
 */
void controllers_release_in(const char *group);
void controllers_release(const struct cgroup_tree *tree, const char *parent);

#endif
