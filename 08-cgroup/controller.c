#include "controller.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

/* Extended attributes of a group's directory: what we have enabled in it, what it uses as ours. */
#define NOTE_ENABLED "user.ten-steps.enabled"
#define NOTE_USES    "user.ten-steps.uses"

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

void controllers_name(unsigned set, const char *prefix, char *names, size_t size)
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

unsigned controllers_read(const char *group, const char *file)
{
    char names[CONTROLLER_NAMES];

    group_read(group, file, names, sizeof(names));
    return parse_names(names);
}

static unsigned read_note(const char *group, const char *note)
{
    char names[CONTROLLER_NAMES];
    ssize_t length = getxattr(group, note, names, sizeof(names) - 1);

    names[length > 0 ? length : 0] = '\0';
    return parse_names(names);
}

static int write_note(const char *group, const char *note, unsigned set)
{
    char names[CONTROLLER_NAMES];

    controllers_name(set, "", names, sizeof(names));
    explain("setfattr -n %s -v '%s' %s\tsetxattr(\"%s\", \"%s\", \"%s\")", note, names, group,
            group, note, names);
    return setxattr(group, note, names, strlen(names), 0) == -1 ? -errno : 0;
}

static void remove_note(const char *group, const char *note)
{
    explain("setfattr -x %s %s\tremovexattr(\"%s\", \"%s\")", note, group, group, note);
    removexattr(group, note);
}

int controllers_note_use(const char *group, unsigned set)
{
    return write_note(group, NOTE_USES, set);
}

int controllers_are_used(const char *group)
{
    return getxattr(group, NOTE_USES, NULL, 0) >= 0;
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
    char names[CONTROLLER_NAMES], held[256];
    bool at_top = strcmp(group, tree->top) == 0;

    controllers_name(missing, "", names, sizeof(names));
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
    return -ENOENT;
}

/* Enabling SET in GROUP has failed. Why: it holds processes, it isn't ours. */
static int report_enable(const char *group, unsigned set, int error)
{
    char names[CONTROLLER_NAMES], process[64];
    int pid = group_first_process(group, process, sizeof(process));

    controllers_name(set, "", names, sizeof(names));
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

/* Enable SET in GROUP where it is off, with a note that it was us. */
static int enable_in(const char *group, unsigned set)
{
    char names[CONTROLLER_NAMES];

    set &= ~controllers_read(group, "cgroup.subtree_control");
    if (set == 0)
        return 0;
    /*
     * For memory and io the kernel refuses this by itself. With cpu, cpuset and pids it makes the
     * group one of threads instead, below which no process can be born. The top has no type.
     */
    if (group_read(group, "cgroup.type", names, sizeof(names)) == 0 &&
        group_first_process(group, names, sizeof(names)) != 0)
        return -EBUSY;
    int error = write_note(group, NOTE_ENABLED, read_note(group, NOTE_ENABLED) | set);
    if (error != 0)
        return error;
    controllers_name(set, "+", names, sizeof(names));
    return group_write(group, "cgroup.subtree_control", names);
}

int controllers_enable(const struct cgroup_tree *tree, const char *parent, unsigned needed,
                       unsigned wanted)
{
    char group[LONGEST_GROUP];

    /* The top of the tree first, then one name more each time, PARENT itself last. */
    for (size_t length = strlen(tree->top);; length += 1 + strcspn(parent + length + 1, "/")) {
        snprintf(group, sizeof(group), "%.*s", (int)length, parent);
        unsigned has = controllers_read(group, "cgroup.controllers");
        if (needed & ~has) {
            controllers_release(tree, parent);
            return report_missing(tree, group, needed & ~has);
        }
        /* EXERCISE 8.1: have the controllers handed down to the next group. cgroups(7) */
        int error = enable_in(group, needed);
        if (error != 0) {
            report_enable(group, needed, error);
            controllers_release(tree, parent);
            return error;
        }
        /* END */
        wanted &= has;
        if (wanted != 0 && enable_in(group, wanted) != 0)
            wanted &= controllers_read(group, "cgroup.subtree_control");
        if (parent[length] == '\0')
            return 0;
    }
}

/* Is there a group of ours below GROUP that uses one of SET? */
static bool used_by_us(const char *group, unsigned set)
{
    char path[LONGEST_GROUP];
    bool used = false;
    DIR *directory = opendir(group);

    while (!used && group_next(directory, group, path))
        used = (read_note(path, NOTE_USES) & set) != 0 || used_by_us(path, set);
    if (directory != NULL)
        closedir(directory);
    return used;
}

/* Has somebody set something in a group directly below GROUP that would be lost with SET? */
static bool used_by_others(const char *group, unsigned set)
{
    static const struct {
        const char *file, *initial;
    } settings[] = {
        {"cpu.max", "max 100000"},
        {"cpu.weight", "100"},
        {"cpu.idle", "0"},
        {"cpuset.cpus", ""},
        {"cpuset.mems", ""},
        {"cpuset.cpus.partition", "member"},
        {"memory.max", "max"},
        {"memory.high", "max"},
        {"memory.low", "0"},
        {"memory.min", "0"},
        {"memory.swap.max", "max"},
        {"memory.oom.group", "0"},
        {"pids.max", "max"},
        {"io.max", ""},
        {"io.weight", "default 100"},
    };
    char path[LONGEST_GROUP], value[256];
    bool used = false;
    DIR *directory = opendir(group);

    while (!used && group_next(directory, group, path)) {
        if (controllers_are_used(path))
            continue;
        for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
            if ((unsigned)controller_of(settings[i].file) & set &&
                group_read(path, settings[i].file, value, sizeof(value)) == 0)
                used = used || strcmp(value, settings[i].initial) != 0;
    }
    if (directory != NULL)
        closedir(directory);
    return used;
}

void controllers_release_in(const char *group)
{
    unsigned ours = read_note(group, NOTE_ENABLED), kept = 0;

    if (ours == 0)
        return;
    unsigned enabled = controllers_read(group, "cgroup.subtree_control");
    for (unsigned each = 1; each <= ours; each <<= 1) {
        char names[CONTROLLER_NAMES];
        if (!(ours & enabled & each))
            continue;
        controllers_name(each, "-", names, sizeof(names));
        /* EBUSY: a group below hands it down in its turn, and that was not us. */
        if (used_by_us(group, each) || used_by_others(group, each) ||
            group_write(group, "cgroup.subtree_control", names) != 0)
            kept |= each;
    }
    if (kept == 0)
        remove_note(group, NOTE_ENABLED);
    else if (kept != ours)
        write_note(group, NOTE_ENABLED, kept);
}

void controllers_release(const struct cgroup_tree *tree, const char *parent)
{
    char group[LONGEST_GROUP];
    size_t top = strlen(tree->top);

    /* From PARENT upwards: a group can only give up what no group below hands down. */
    snprintf(group, sizeof(group), "%s", parent);
    controllers_release_in(group);
    while (strlen(group) > top) {
        *strrchr(group, '/') = '\0';
        controllers_release_in(group);
    }
}
