#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "controller.h"
#include "group.h"
#include "parent.h"

enum { TRIES = 100 };

void cgroup_check_name(const char *name)
{
    if (name[0] == '\0' || name[0] == '.' || strlen(name) > 128 || strpbrk(name, "/\n") != NULL)
        fail("name: '%s' can't be a group's name: 1 to 128 characters without '/', the first not "
             "'.'",
             name);
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

/*
 * From the tree as it is to a group of our own with the files we need in it. -ENOENT, without a
 * report, if another run's last group has just taken "ten-steps" along.
 */
static int make_once(struct cgroup *group, const struct cgroup_plan *plan, struct claim *claim)
{
    int error = plan->parent == NULL ? group_make(group->parent) : 0;

    if (error != 0 && error != -EEXIST) {
        errno = -error;
        return report("mkdir %s", group->parent);
    }
    error = controllers_enable(&group->tree, group->parent, limit_controllers(&plan->limits),
                               plan->wanted);
    if (error != 0)
        return error;
    error = group_make(group->path);
    if (error == 0 && plan->name != NULL)
        error = claim_note(claim, "group %s", group->path);
    else if (error == -EEXIST)
        hint("another run has it; if nothing is in it: rmdir %.300s", group->path);
    else if (error == -EAGAIN)
        hint("a group above limits the number: see cgroup.max.descendants and cgroup.max.depth");
    if (error == 0 || error == -ENOENT)
        return error;
    errno = -error;
    return report("mkdir %s", group->path);
}

int cgroup_make(struct cgroup *group, const struct cgroup_plan *plan, struct claim *claim)
{
    int error;

    group->directory = -1;
    group->leaf[0] = '\0';
    group->leaf_claim = (struct claim)CLAIM_NONE;
    if ((error = tree_find(&group->tree)) != 0 ||
        (error = parent_find(group, plan->parent, limit_controllers(&plan->limits) != 0)) != 0)
        return error;
    snprintf(group->path, sizeof(group->path), "%.*s/%s", LONGEST_GROUP - 256, group->parent,
             plan->name != NULL ? plan->name : claim->token);
    /* A name that the user has chosen may be somebody else's: its line comes when it is ours. */
    if (plan->name == NULL)
        error = claim_note(claim, "group %s", group->path);
    if (error == 0)
        error = -ENOENT;
    for (int tries = 0; error == -ENOENT && tries < TRIES; tries++)
        error = make_once(group, plan, claim);
    if (error == -ENOENT)
        error = refuse("%s: another run removes it again and again", group->parent);
    if (error == 0)
        error = check_type(group);
    if (error != 0)
        return error;
    group->directory = open(group->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (group->directory == -1)
        return report("open %s", group->path);
    return write_limits(group, &plan->limits);
}

void cgroup_leave(struct cgroup *group)
{
    if (group->directory != -1)
        close(group->directory);
    group->directory = -1;
    parent_leave(group);
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
