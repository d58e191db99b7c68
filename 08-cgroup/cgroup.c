#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"

enum {
    NAMES = 512, /* room for the names of all controllers */
    TRIES = 100
};

/* Is NAME one of the words of LIST? */
static bool is_listed(const char *list, const char *name)
{
    char words[NAMES + 2], word[NAMES + 2];

    snprintf(words, sizeof(words), " %s ", list);
    snprintf(word, sizeof(word), " %s ", name);
    return strstr(words, word) != NULL;
}

/* Have GROUP hand CONTROLLER down. */
static int enable(const char *group, const char *controller)
{
    char type[64], order[NAMES];

    /*
     * For memory and io the kernel refuses this by itself. With cpu, cpuset and pids it makes the
     * group one of threads instead, below which no process can be born. The top has no type.
     */
    if (group_read(group, "cgroup.type", type, sizeof(type)) == 0 &&
        group_number(group, "cgroup.procs", "") >= 0) /* 0: of another pid namespace */
        return -EBUSY;
    snprintf(order, sizeof(order), "+%s", controller);
    return group_write(group, "cgroup.subtree_control", order);
}

/* The reason: the group holds processes, or isn't ours. */
static int report_enable(const char *group, const char *controller, int error)
{
    if (error == -EBUSY)
        hint("a group that hands controllers down holds no processes itself, but process %lld is "
             "in it: move all of them into a group below, or choose --parent",
             group_number(group, "cgroup.procs", ""));
    else if (error == -EACCES)
        hint("this branch of the tree is not yours: 'systemd-run --user --scope -p Delegate=yes "
             "COMMAND' starts a command in one that is");
    errno = -error;
    return report("enable '+%s' in %s", controller, group);
}

static int report_missing(const char *controller)
{
    if (is_listed("cpu cpuset hugetlb io memory misc pids rdma", controller))
        hint("cgroup v1 may hold it: see 'cat /proc/self/cgroup'; boot with 'cgroup_no_v1=all', or "
             "use the virtual machine: 'make shell-vm'");
    else
        hint("a file's name begins with its controller's: memory.high, for example");
    return refuse("no controller %s in %s", controller, tree_top());
}

/*
 * Have all groups from the top of the tree to PARENT hand CONTROLLER down. One that isn't available
 * is an error only if it is NEEDED.
 */
static int hand_down(const char *controller, const char *parent, bool needed)
{
    char all[NAMES], list[NAMES], group[PATH_MAX];
    int error = 0;

    group_read(tree_top(), "cgroup.controllers", all, sizeof(all));
    if (!is_listed(all, controller))
        return needed ? report_missing(controller) : 0;
    /* EXERCISE 8.1: have each group from the top of the tree to PARENT hand CONTROLLER down, unless
       it does already. If that fails, GROUP is reported. cgroups(7) */
    for (size_t end = strlen(tree_top()); error == 0; end += 1 + strcspn(parent + end + 1, "/")) {
        snprintf(group, sizeof(group), "%.*s", (int)end, parent);
        group_read(group, "cgroup.subtree_control", list, sizeof(list));
        if (!is_listed(list, controller))
            error = enable(group, controller);
        if (parent[end] == '\0')
            break;
    }
    /* END */
    return error != 0 && needed ? report_enable(group, controller, error) : 0;
}

/* See to the controllers that PLAN needs and the group PATH lacks. */
static int add_controllers(const char *path, const char *parent, const struct cgroup_plan *plan)
{
    static const char *const counted[] = {"cpu", "memory", "pids"};
    char list[NAMES], name[NAMES];
    int error = 0;

    group_read(path, "cgroup.controllers", list, sizeof(list));
    for (int i = 0; error == 0 && i < plan->limits.count; i++) {
        const char *file = plan->limits.settings[i].file;
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(file, "."), file);
        if (strcmp(name, "cgroup") != 0 && !is_listed(list, name))
            error = hand_down(name, parent, true);
    }
    for (int i = 0; error == 0 && plan->counted && i < 3; i++)
        if (!is_listed(list, counted[i]))
            error = hand_down(counted[i], parent, false);
    return error;
}

/*
 * Create the directory, and "ten-steps" if the directory lies there. Another run may remove that
 * with its last group before ours exists: then create both again.
 */
static int make_directory(const char *path, const char *parent, bool ours)
{
    int error = -ENOENT;

    for (int tries = 0; error == -ENOENT && tries < TRIES; tries++) {
        error = ours ? group_make(parent) : 0;
        if (error != 0 && error != -EEXIST)
            return report("mkdir %s", parent);
        error = group_make(path);
    }
    if (error == -EAGAIN)
        hint("a group above limits the number: see cgroup.max.descendants and cgroup.max.depth");
    return error == 0 ? 0 : report("mkdir %s", path);
}

/* The kernel accepts processors that don't exist, and then lets the group use all of them. */
static int check_processors(const char *path, const char *wanted)
{
    char taken[256], there[256];

    group_read(path, "cpuset.cpus", taken, sizeof(taken));
    group_read(path, "cpuset.cpus.effective", there, sizeof(there));
    if (strcmp(taken, there) == 0)
        return 0;
    return refuse("invalid cpuset-cpus '%s': this machine has %s", wanted, there);
}

/* The limits, one file after the other. */
static int write_limits(const char *path, const struct cgroup_limits *limits)
{
    int error = 0;

    for (int i = 0; i < limits->count; i++) {
        const struct cgroup_setting *setting = &limits->settings[i];
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
    /* Unless swap is asked for, a memory limit means none. The kernel may not support swap. */
    if (limit_find(limits, "memory.max") != NULL && limit_find(limits, "memory.swap.max") == NULL)
        error = group_write(path, "memory.swap.max", "0");
    if (error != 0 && error != -ENOENT)
        return report("write '0' to memory.swap.max");
    const char *processors = limit_find(limits, "cpuset.cpus");
    return processors != NULL ? check_processors(path, processors) : 0;
}

int cgroup_make(struct cgroup *group, const struct cgroup_plan *plan, struct claim *claim)
{
    char parent[PATH_MAX];
    mode_t mask = umask(022); /* the caller's doesn't apply to what the box reads */

    group->directory = -1;
    int error = tree_parent(plan->parent, plan->limits.count > 0, parent);
    if (error == 0 && snprintf(group->path, sizeof(group->path), "%s/%s", parent, claim->token) >=
                          (int)sizeof(group->path))
        error = refuse("parent %s: the path is too long", parent);
    if (error == 0)
        error = claim_note(claim, "group %s", group->path);
    if (error == 0)
        error = make_directory(group->path, parent, plan->parent == NULL);
    if (error == 0)
        error = add_controllers(group->path, parent, plan);
    if (error == 0)
        error = write_limits(group->path, &plan->limits);
    umask(mask);
    if (error != 0)
        return error;
    group->directory = open(group->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return group->directory == -1 ? report("open %s", group->path) : 0;
}

void cgroup_mount(void)
{
    const char *top = tree_top();

    /*
     * Below the new mount there would still be the old one, which shows the whole tree: take it
     * away. In a user namespace the kernel keeps us from that; there the files' owners protect it.
     * But the same file system can't be mounted on top of itself: something has to lie between.
     */
    explain("umount --lazy %s\tumount2(\"%s\", MNT_DETACH)", top, top);
    if (umount2(top, MNT_DETACH) == -1)
        mount_new("tmpfs", top, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_new("cgroup2", top, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}
