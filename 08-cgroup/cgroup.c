#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "../07-net/lock.h"
#include "controller.h"
#include "group.h"
#include "parent.h"

enum { LONGEST_WAIT = 10000 }; /* milliseconds, for another run's lock */

void cgroup_check_name(const char *name)
{
    if (name[0] == '\0' || name[0] == '.' || strlen(name) > 128 || strpbrk(name, "/\n") != NULL)
        fail("name: '%s' can't be a group's name: 1 to 128 characters without '/', the first not "
             "'.'",
             name);
}

/*
 * Runs that make and remove groups at the same time take turns: a controller must not be disabled
 * by one while another is about to rely on it. The lock is on a file, as the directory itself may
 * be locked: in a box it is the box's group. Returns the lock, to be closed, or -errno.
 */
static int lock_tree(const struct cgroup_tree *tree)
{
    char path[LONGEST_GROUP];

    snprintf(path, sizeof(path), "%s/cgroup.procs", tree->top);
    int lock = open(path, O_RDONLY | O_CLOEXEC);
    if (lock == -1)
        return report("open %s", path);
    if (lock_wait(lock, LONGEST_WAIT) == 0)
        return lock;
    if (errno == EWOULDBLOCK)
        hint("another run is changing the tree and does not come to an end");
    int error = report("lock %s", tree->top);
    close(lock);
    return error;
}

/* Remove the groups of killed runs in GROUP and below, and disable what nobody uses there any more.
 * What another user has left is not ours. */
static void sweep(const char *group)
{
    char path[LONGEST_GROUP];
    DIR *directory = opendir(group);

    while (group_next(directory, group, path)) {
        bool noted = controllers_are_used(path);
        if (!noted && !group_is_made_up(path + strlen(group) + 1)) {
            sweep(path);
            continue;
        }
        int lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        bool is_dead = lock != -1 && flock(lock, LOCK_EX | LOCK_NB) == 0;
        /* A run that was killed before it could make its note had no process in the group yet. */
        if (is_dead && group_is_writable(path) && (!noted || group_empty(path) == 0))
            group_remove(path);
        if (lock != -1)
            close(lock);
    }
    if (directory != NULL)
        closedir(directory);
    controllers_release_in(group);
}

/* Below a group of threads, or one that mixes processes and controllers, no process can be born. */
static int check_type(const struct cgroup *group)
{
    char type[32];

    int error = group_read(group->path, "cgroup.type", type, sizeof(type));
    if (error != 0) {
        errno = -error;
        return report("read %s/cgroup.type", group->path);
    }
    if (strcmp(type, "domain") == 0)
        return 0;
    hint("see 'cat %.300s/cgroup.type', and cgroups(7) on threaded groups: choose another --parent",
         group->parent);
    return refuse("a group below %s is of type '%s' and can't hold processes", group->parent, type);
}

/* Make the group, hold it, note that it is ours. The tree is locked meanwhile. */
static int make_noted(struct cgroup *group, const char *name, unsigned controllers)
{
    int error = group_make(group->parent, name, group->path);

    if (error != 0)
        return error;
    group->directory = open(group->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (group->directory == -1 || flock(group->directory, LOCK_EX | LOCK_NB) == -1)
        error = report("lock %s", group->path);
    else if ((error = controllers_note_use(group->path, controllers)) != 0) {
        errno = -error;
        report("note on %s", group->path);
    } else {
        error = check_type(group);
    }
    if (error != 0) {
        if (group->directory != -1)
            close(group->directory);
        group->directory = -1;
        group_remove(group->path);
    }
    return error;
}

/* The limits, one file after the other. */
static int write_limits(const struct cgroup *group, const struct cgroup_limits *limits)
{
    char there[256];

    for (int i = 0; i < limits->count; i++) {
        const struct cgroup_setting *setting = &limits->settings[i];
        if (setting->if_there && group_read(group->path, setting->file, there, 2) == -ENOENT)
            continue;
        if (strcmp(setting->file, "cpuset.cpus") == 0 &&
            group_read(group->path, "cpuset.cpus.effective", there, sizeof(there)) == 0 &&
            !cpu_list_within(setting->value, there))
            return refuse("cpuset-cpus: of %s there are only %s here", setting->value, there);
        int error = 0;
        /* EXERCISE 8.2: write the limit to its file in the group. cgroups(7) */
        error = group_write(group->path, setting->file, setting->value);
        /* END */
        if (error == 0)
            continue;
        if (error == -ENOENT)
            hint("this kernel's groups have no such file: see 'ls %.300s'", group->parent);
        else if (error == -ENODEV)
            hint("a limit is for a whole disk, not for a partition: see 'lsblk'");
        else if (error == -EACCES)
            hint("that file is only to be read");
        errno = -error;
        return report("write '%s' to %s", setting->value, setting->file);
    }
    return 0;
}

/* What needs the lock: from a clean tree to a group of our own with the files we need in it. */
static int make_locked(struct cgroup *group, const struct cgroup_plan *plan)
{
    unsigned needed = limit_controllers(&plan->limits);
    int error;

    sweep(group->tree.top);
    error = parent_find(group, plan->parent, needed != 0);
    if (error != 0)
        return error;
    error = controllers_enable(&group->tree, group->parent, needed, plan->wanted);
    if (error != 0)
        return error;
    error = make_noted(group, plan->name, needed | plan->wanted);
    if (error != 0)
        controllers_release(&group->tree, group->parent);
    return error;
}

int cgroup_make(struct cgroup *group, const struct cgroup_plan *plan)
{
    group->directory = -1;
    group->leaf[0] = '\0';
    int error = tree_find(&group->tree);
    if (error != 0)
        return error;

    int lock = lock_tree(&group->tree);
    if (lock < 0)
        return lock;
    error = make_locked(group, plan);
    if (error != 0)
        parent_leave(group);
    close(lock);
    if (error != 0)
        return error;

    error = write_limits(group, &plan->limits);
    if (error != 0)
        cgroup_remove(group);
    return error;
}

int cgroup_kill(const struct cgroup *group)
{
    int error = group_empty(group->path);

    if (error == 0)
        return 0;
    if (error == -ETIMEDOUT)
        hint("a process is stuck in the kernel: see 'cat %.300s/cgroup.procs'", group->path);
    else if (error == -ENOENT)
        hint("cgroup.kill needs Linux 5.14");
    errno = -error;
    return report("end the processes in %s", group->path);
}

int cgroup_remove(struct cgroup *group)
{
    int error = cgroup_kill(group);
    int lock = lock_tree(&group->tree);

    if (error == 0) {
        error = group_remove(group->path);
        errno = -error;
        if (error != 0)
            report("rmdir %s", group->path);
    }
    controllers_release(&group->tree, group->parent);
    parent_leave(group);
    close(group->directory);
    if (lock >= 0)
        close(lock);
    else if (error == 0)
        error = lock;
    return error;
}

int cgroup_clear(void)
{
    struct cgroup_tree tree;
    int error = tree_find(&tree);
    int lock = error == 0 ? lock_tree(&tree) : error;

    if (lock < 0)
        return lock;
    sweep(tree.top);
    close(lock);
    return 0;
}

void cgroup_mount(const struct cgroup_tree *tree)
{
    /*
     * Below the new mount there would still be the old one, which shows the whole tree: take it
     * away. In a user namespace the kernel keeps us from that; there the files' owners protect it.
     * But the same file system can't be mounted on top of itself: something has to lie between.
     */
    explain("umount --lazy %s\tumount2(\"%s\", MNT_DETACH)", tree->top, tree->top);
    if (umount2(tree->top, MNT_DETACH) == -1)
        mount_new("tmpfs", tree->top, tree->top, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_new("cgroup2", tree->top, tree->top, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}
