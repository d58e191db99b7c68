#include "controller.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

enum { NAMES = 128 /* room for the names of all controllers */ };

/* Is NAME one of the words of LIST? */
static bool is_listed(const char *list, const char *name)
{
    size_t length = strlen(name);

    for (; *list != '\0'; list += strcspn(list, " "), list += strspn(list, " "))
        if (strncmp(list, name, length) == 0 && (list[length] == ' ' || list[length] == '\0'))
            return true;
    return false;
}

/* Enabling NAME in GROUP has failed. Why: it isn't there, the group holds processes or isn't ours.
 */
static int report_enable(const char *group, const char *name, int error)
{
    char process[64];
    int pid = group_first_process(group, process, sizeof(process));

    if (error == -ENODEV) {
        hint("no group above hands it down, or cgroup v1 holds it: see 'cat /proc/self/cgroup'; "
             "boot with 'cgroup_no_v1=all', or use the virtual machine: 'tests/vm --shell'");
        return refuse("no controller %s in %s", name, group);
    }
    if (error == -EBUSY && pid != 0)
        hint("a group that hands controllers down holds no processes itself, but %d (%s) is in it: "
             "move all of them into a group below, or choose --parent",
             pid, process);
    else if (error == -EACCES)
        hint("this branch of the tree is not yours: 'systemd-run --user --scope -p Delegate=yes "
             "COMMAND' starts a command in one that is");
    errno = -error;
    return report("enable %s in %s", name, group);
}

/* Enable NAME in GROUP, which has what CONTROLLERS lists. Returns -errno without a report. */
static int enable(const char *group, const char *controllers, const char *name)
{
    char order[64], text[64];
    int error = 0;

    if (!is_listed(controllers, name))
        return -ENODEV;
    /*
     * For memory and io the kernel refuses this by itself. With cpu, cpuset and pids it makes the
     * group one of threads instead, below which no process can be born. The top has no type.
     */
    if (group_read(group, "cgroup.type", text, sizeof(text)) == 0 &&
        group_first_process(group, text, sizeof(text)) != 0)
        return -EBUSY;
    snprintf(order, sizeof(order), "+%s", name);
    /* EXERCISE 8.1: have the controller handed down to the groups below. cgroups(7) */
    error = group_write(group, "cgroup.subtree_control", order);
    /* END */
    return error;
}

/* Enable NAMES in GROUP where they are off. What fails is an error only if they are NEEDED. */
static int enable_all(const char *group, const char *names, bool needed)
{
    char has[NAMES], handed[NAMES], copy[NAMES], *save;

    if (names == NULL || names[0] == '\0')
        return 0;
    if (group_read(group, "cgroup.controllers", has, sizeof(has)) == -ENOENT)
        return -ENOENT;
    group_read(group, "cgroup.subtree_control", handed, sizeof(handed));
    snprintf(copy, sizeof(copy), "%s", names);
    for (const char *name = strtok_r(copy, " ", &save); name != NULL;
         name = strtok_r(NULL, " ", &save)) {
        int error = is_listed(handed, name) ? 0 : enable(group, has, name);
        if (error != 0 && access(group, F_OK) == -1)
            return -ENOENT;
        if (error != 0 && needed)
            return report_enable(group, name, error);
    }
    return 0;
}

int controllers_enable(const struct cgroup_tree *tree, const char *needed, const char *wanted)
{
    const char *parent = tree->parent;
    char group[LONGEST_GROUP];
    int error = 0;

    /* The top of the tree first, then one name more each time, the parent itself last. */
    for (size_t end = strlen(tree->top); error == 0; end += 1 + strcspn(parent + end + 1, "/")) {
        snprintf(group, sizeof(group), "%.*s", (int)end, parent);
        error = enable_all(group, needed, true);
        if (error == 0)
            error = enable_all(group, wanted, false);
        if (parent[end] == '\0')
            break;
    }
    return error;
}
