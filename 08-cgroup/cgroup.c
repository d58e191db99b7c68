#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "controller.h"
#include "group.h"

enum { TRIES = 100 };

void cgroup_check_name(const char *name)
{
    if (name[0] == '\0' || name[0] == '.' || strpbrk(name, "/\n") != NULL)
        fail("name: '%s' can't be a group's name: it has no '/' and doesn't begin with '.'", name);
}

/* The kernel takes processors that are not there as well, and lets the group use all of them. */
static int check_processors(const char *path)
{
    char wanted[256], there[256];

    if (group_read(path, "cpuset.cpus", wanted, sizeof(wanted)) != 0 || wanted[0] == '\0' ||
        group_read(path, "cpuset.cpus.effective", there, sizeof(there)) != 0 ||
        strcmp(wanted, there) == 0)
        return 0;
    return refuse("cpuset-cpus: of %s there are only %s here", wanted, there);
}

/* The limits, one file after the other. */
static int write_limits(const char *path, const struct cgroup_limits *limits)
{
    char there[2];
    int error = 0;

    for (int i = 0; i < limits->count; i++) {
        const struct cgroup_setting *setting = &limits->settings[i];
        if (setting->if_there && group_read(path, setting->file, there, sizeof(there)) == -ENOENT)
            continue;
        /* EXERCISE 8.2: write the limit to its file in the group. cgroups(7) */
        error = group_write(path, setting->file, setting->value);
        /* END */
        if (error == 0)
            continue;
        if (error == -ENOENT)
            hint("this kernel's groups have no such file: see 'ls %.300s'", path);
        else if (error == -ENODEV)
            hint("a limit is for a whole disk, not for a partition: see 'lsblk'");
        return report("write '%s' to %s", setting->value, setting->file);
    }
    return check_processors(path);
}

/*
 * From the tree as it is to a group of our own with the files we need in it. -ENOENT, without a
 * report, if another run's last group has just taken "ten-steps" along.
 */
static int make_once(const struct cgroup *group, const struct cgroup_plan *plan, const char *needed)
{
    const char *parent = group->tree.parent;
    int error = plan->parent == NULL ? group_make(parent) : 0;

    if (error != 0 && error != -EEXIST)
        return report("mkdir %s", parent);
    error = controllers_enable(&group->tree, needed, plan->wanted);
    if (error != 0)
        return error;
    error = group_make(group->path);
    if (error == 0 || error == -ENOENT)
        return error;
    if (error == -EEXIST)
        hint("another run has it; if nothing is in it: rmdir %.300s", group->path);
    else if (error == -EAGAIN)
        hint("a group above limits the number: see cgroup.max.descendants and cgroup.max.depth");
    return report("mkdir %s", group->path);
}

/* Nothing has been made in it, so nothing takes it along. */
static void remove_parent(const char *parent)
{
    explain("rmdir %s\trmdir(\"%s\")", parent, parent);
    (void)rmdir(parent);
}

int cgroup_make(struct cgroup *group, const struct cgroup_plan *plan, struct claim *claim)
{
    char needed[256];

    group->directory = -1;
    limit_controllers(&plan->limits, needed, sizeof(needed));
    int error = tree_find(&group->tree, plan->parent, needed[0] != '\0');
    if (error != 0)
        return error;
    snprintf(group->path, sizeof(group->path), "%.*s/%s", LONGEST_GROUP - 256, group->tree.parent,
             plan->name != NULL ? plan->name : claim->token);
    /* A name that the user has chosen may be somebody else's: its line comes when it is ours. */
    if (plan->name == NULL)
        error = claim_note(claim, "group %s", group->path);
    if (error == 0)
        error = -ENOENT;
    for (int tries = 0; error == -ENOENT && tries < TRIES; tries++)
        error = make_once(group, plan, needed);
    if (error == -ENOENT)
        error = refuse("%s: another run removes it again and again", group->tree.parent);
    if (error == 0 && plan->name != NULL)
        error = claim_note(claim, "group %s", group->path);
    if (error != 0) {
        if (plan->parent == NULL)
            remove_parent(group->tree.parent);
        return error;
    }
    group->directory = open(group->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (group->directory == -1)
        return report("open %s", group->path);
    return write_limits(group->path, &plan->limits);
}

void cgroup_leave(struct cgroup *group)
{
    if (group->directory != -1)
        close(group->directory);
    group->directory = -1;
    tree_leave(&group->tree);
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
