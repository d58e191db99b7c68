#include "controller.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

enum { NAMES = 128 /* room for the names of all controllers */ };

static const char *const controller_names[] = {"cpuset", "cpu",  "io",   "memory", "hugetlb",
                                               "pids",   "rdma", "misc", "dmem"};
enum { CONTROLLERS = sizeof(controller_names) / sizeof(controller_names[0]) };

/* The set that a list of names separated by blanks stands for. */
static unsigned parse_names(const char *text)
{
    unsigned set = 0;

    for (; *text != '\0'; text += strspn(text, " ")) {
        size_t length = strcspn(text, " ");
        for (int i = 0; i < CONTROLLERS; i++)
            if (strlen(controller_names[i]) == length &&
                strncmp(text, controller_names[i], length) == 0)
                set |= 1U << i;
        text += length;
    }
    return set;
}

/* SET in words, each behind PREFIX: "+cpu +memory". */
static void write_names(unsigned set, const char *prefix, char *names, size_t size)
{
    size_t length = 0;

    names[0] = '\0';
    for (int i = 0; i < CONTROLLERS; i++)
        if (set & 1U << i)
            length += (size_t)snprintf(names + length, size - length, "%s%s%s",
                                       length > 0 ? " " : "", prefix, controller_names[i]);
}

int controller_of(const char *file)
{
    char name[32];

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(file, "."), file);
    if (strcmp(name, "cgroup") == 0)
        return 0;
    unsigned set = parse_names(name);
    return set != 0 ? (int)set : -1;
}

/* The controllers that FILE of GROUP lists. */
static unsigned read_names(const char *group, const char *file)
{
    char names[NAMES];

    group_read(group, file, names, sizeof(names));
    return parse_names(names);
}

/* The controllers that cgroup v1 holds on this machine, as v1 names them. */
static void read_held_by_v1(char *names, size_t size)
{
    char line[4096];
    size_t length = 0;
    FILE *file = fopen("/proc/self/cgroup", "re");

    names[0] = '\0';
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        char *list = line + strcspn(line, ":") + 1;
        list[strcspn(list, ":")] = '\0';
        if (list[0] != '\0' && strncmp(list, "name=", 5) != 0 && length < size)
            length +=
                (size_t)snprintf(names + length, size - length, "%s%s", length ? ", " : "", list);
    }
    if (file != NULL)
        fclose(file);
}

/* GROUP lacks controllers of MISSING. Why: v1 has them, the kernel is without, nobody hands them
 * down. */
static int report_missing(const struct cgroup_tree *tree, const char *group, unsigned missing)
{
    char names[NAMES], held[256];
    bool at_top = strcmp(group, tree->top) == 0;

    write_names(missing, "", names, sizeof(names));
    read_held_by_v1(held, sizeof(held));
    errno = ENOENT;
    if (held[0] != '\0' && at_top) {
        hint("boot with 'cgroup_no_v1=all systemd.unified_cgroup_hierarchy=1' on the kernel's "
             "command line; or try it in the virtual machine: 'tests/vm --shell'");
        refuse("no controller %s in %s: cgroup v1 holds %s", names, group, held);
    } else if (at_top) {
        hint("see /proc/cgroups for what the kernel has; memory may need 'cgroup_enable=memory' on "
             "its command line");
        refuse("no controller %s in %s: this kernel is without it, or nobody hands it down", names,
               group);
    } else {
        hint("the groups above have to hand it down: 'cat %.300s/cgroup.controllers' says what "
             "they do",
             group);
        refuse("no controller %s in %s: it was not delegated", names, group);
    }
    return -EINVAL;
}

/* Enabling SET in GROUP has failed. Why: it holds processes, it isn't ours. */
static int report_enable(const char *group, unsigned set, int error)
{
    char names[NAMES], process[64];
    int pid = group_first_process(group, process, sizeof(process));

    write_names(set, "", names, sizeof(names));
    if (error == -EBUSY && pid != 0)
        hint("a group that hands controllers down holds no processes itself, but %d (%s) is in it: "
             "move all of them into a group below, or choose --parent",
             pid, process);
    else if (error == -EACCES && geteuid() != 0)
        hint("this branch of the tree is not yours: 'systemd-run --user --scope -p Delegate=yes "
             "COMMAND' starts a command in one that is");
    else if (error == -EROFS)
        hint("the tree is mounted read-only here, as in a box");
    errno = -error;
    return report("enable %s in %s", names, group);
}

/* Enable SET in GROUP where it is off. */
static int enable_in(const char *group, unsigned set)
{
    char names[NAMES];

    set &= ~read_names(group, "cgroup.subtree_control");
    if (set == 0)
        return 0;
    /*
     * For memory and io the kernel refuses this by itself. With cpu, cpuset and pids it makes the
     * group one of threads instead, below which no process can be born. The top has no type.
     */
    if (group_read(group, "cgroup.type", names, sizeof(names)) == 0 &&
        group_first_process(group, names, sizeof(names)) != 0)
        return -EBUSY;
    write_names(set, "+", names, sizeof(names));
    return group_write(group, "cgroup.subtree_control", names);
}

int controllers_enable(const struct cgroup_tree *tree, const char *parent, unsigned needed,
                       unsigned wanted)
{
    char group[LONGEST_GROUP];

    /* The top of the tree first, then one name more each time, PARENT itself last. */
    for (size_t length = strlen(tree->top);; length += 1 + strcspn(parent + length + 1, "/")) {
        snprintf(group, sizeof(group), "%.*s", (int)length, parent);
        if (access(group, F_OK) == -1)
            return -ENOENT;
        unsigned has = read_names(group, "cgroup.controllers");
        if (needed & ~has)
            return report_missing(tree, group, needed & ~has);
        /* EXERCISE 8.1: have the controllers handed down to the next group. cgroups(7) */
        int error = enable_in(group, needed);
        if (error == -ENOENT)
            return error;
        if (error != 0)
            return report_enable(group, needed, error);
        /* END */
        wanted &= has;
        if (wanted != 0 && enable_in(group, wanted) != 0)
            wanted &= read_names(group, "cgroup.subtree_control");
        if (parent[length] == '\0')
            return 0;
    }
}

void controllers_disable(const char *group)
{
    char names[NAMES];
    unsigned set = read_names(group, "cgroup.subtree_control");

    write_names(set, "-", names, sizeof(names));
    if (set != 0)
        (void)group_write(group, "cgroup.subtree_control", names);
}
