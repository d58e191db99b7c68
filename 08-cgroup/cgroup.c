#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "controller.h"

#define MADE_UP "ten-steps-" /* and eight digits: a name that the user has not chosen */

enum { LONGEST_WAIT = 10000 }; /* milliseconds, for another run's lock or for killed processes */

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
    const struct timespec pause = {.tv_nsec = 5000000};
    char path[LONGEST_GROUP];

    snprintf(path, sizeof(path), "%s/cgroup.procs", tree->top);
    int lock = open(path, O_RDONLY | O_CLOEXEC);
    if (lock == -1)
        return report("open %s", path);
    for (int waited = 0; flock(lock, LOCK_EX | LOCK_NB) == -1; waited += 5) {
        if (errno == EWOULDBLOCK && waited < LONGEST_WAIT) {
            nanosleep(&pause, NULL);
            continue;
        }
        if (errno == EWOULDBLOCK)
            hint("another run is changing the tree and does not come to an end");
        int error = report("lock %s", tree->top);
        close(lock);
        return error;
    }
    return lock;
}

static int is_writable(const char *group)
{
    char path[LONGEST_GROUP + 64];

    snprintf(path, sizeof(path), "%s/cgroup.procs", group);
    return access(group, W_OK) == 0 && access(path, W_OK) == 0;
}

/* Make the group NAME in PARENT, or one with a name made up; its path goes into PATH. */
static int make_directory(const char *parent, const char *name, char *path)
{
    unsigned number;
    char made_up[32];

    do {
        if (name == NULL && getrandom(&number, sizeof(number), 0) == sizeof(number))
            snprintf(made_up, sizeof(made_up), MADE_UP "%08x", number);
        snprintf(path, LONGEST_GROUP, "%.*s/%s", LONGEST_GROUP - 256, parent,
                 name != NULL ? name : made_up);
        explain("mkdir %s\tmkdir(\"%s\", 0755)", path, path);
        if (mkdir(path, 0755) == 0)
            return 0;
    } while (errno == EEXIST && name == NULL);
    if (errno == EEXIST)
        hint("another run has it; if nothing is in it: rmdir %.300s", path);
    else if (errno == EAGAIN)
        hint("a group above limits the number: see cgroup.max.descendants and cgroup.max.depth");
    return report("mkdir %s", path);
}

/* Is this process in GROUP, and no other? */
static bool is_alone_in(const char *group)
{
    char text[64], own[32];

    snprintf(own, sizeof(own), "%d", getpid());
    return group_read(group, "cgroup.procs", text, sizeof(text)) == 0 && strcmp(text, own) == 0;
}

/*
 * A group that hands controllers down holds no processes. Where this one is all that keeps its own
 * group from it, it makes room: it goes into a group below. No other process is moved.
 */
static int step_aside(struct cgroup *group)
{
    struct cgroup_tree *tree = &group->tree;
    int error = make_directory(tree->own, NULL, group->leaf);

    snprintf(group->parent, sizeof(group->parent), "%s", tree->own);
    if (error == 0 && (error = group_write(group->leaf, "cgroup.procs", "0")) != 0) {
        errno = -error;
        report("go into %s", group->leaf);
        rmdir(group->leaf);
    }
    if (error == 0)
        snprintf(tree->own, sizeof(tree->own), "%s", group->leaf);
    else
        group->leaf[0] = '\0';
    return error;
}

/* And back. While another run needs the controllers that can't be: the next run removes the leaf.
 */
static void step_back(struct cgroup *group)
{
    if (group->leaf[0] == '\0' || group_write(group->parent, "cgroup.procs", "0") != 0)
        return;
    explain("rmdir %s\trmdir(\"%s\")", group->leaf, group->leaf);
    rmdir(group->leaf);
    group->leaf[0] = '\0';
}

/*
 * Where to make the group if the user does not say: at the top of the tree, or below the nearest
 * group that the user may write and that holds no processes, if only a branch has been delegated.
 */
static int choose_parent(struct cgroup *group, int hands_down)
{
    const struct cgroup_tree *tree = &group->tree;
    char process[64], *parent = group->parent;

    snprintf(parent, LONGEST_GROUP, "%s", tree->top);
    if (is_writable(parent))
        return 0;
    snprintf(parent, LONGEST_GROUP, "%s", tree->own);
    while (strlen(parent) > strlen(tree->top)) {
        if (is_writable(parent) &&
            !(hands_down && group_first_process(parent, process, sizeof(process)) != 0))
            return 0;
        *strrchr(parent, '/') = '\0';
    }
    if (is_writable(tree->own) && is_alone_in(tree->own))
        return step_aside(group);
    if (access(tree->top, W_OK) == -1 && errno == EROFS) {
        hint("it is mounted read-only here, as in a box: make the group outside");
    } else {
        hint("run it as root, or in a branch of the tree that is delegated to you and has room for "
             "a group: 'systemd-run --user --scope -p Delegate=yes COMMAND'");
        errno = EACCES;
    }
    return report("no group of %s is yours to write", tree->top);
}

/* PARENT as the user gives it: from the top of the tree, or with the place where that is mounted.
 */
static int find_parent(const struct cgroup_tree *tree, const char *wanted, char *parent)
{
    struct stat status;

    if (tree_holds(tree, wanted))
        wanted += strlen(tree->top);
    wanted += strspn(wanted, "/");
    if (strstr(wanted, "..") != NULL || strstr(wanted, "//") != NULL)
        return refuse("parent: '%s' is not the plain path of a group", wanted);
    if (snprintf(parent, LONGEST_GROUP, "%s%s%s", tree->top, *wanted ? "/" : "", wanted) >=
        LONGEST_GROUP - 256) {
        errno = ENAMETOOLONG;
        return report("parent");
    }
    if (parent[strlen(parent) - 1] == '/')
        parent[strlen(parent) - 1] = '\0';
    if (stat(parent, &status) == -1) {
        if (errno == ENOENT)
            hint("make it first: mkdir %.300s", parent);
        return report("parent %s", parent);
    }
    if (!S_ISDIR(status.st_mode)) {
        errno = ENOTDIR;
        return report("parent %s", parent);
    }
    return 0;
}

/* Kill what is in GROUP and below, and wait until nothing is. Returns -errno; says nothing. */
static int empty_group(const char *group)
{
    char path[LONGEST_GROUP + 64];
    struct timespec start, now;
    struct pollfd events = {.events = POLLPRI};

    if (group_number(group, "cgroup.events", "populated") != 1)
        return 0;
    /* EXERCISE 8.4: end all processes of the group at once. cgroups(7), cgroup.kill */
    int error = group_write(group, "cgroup.kill", "1");
    if (error != 0)
        return error;
    /* END */

    /* The kernel wakes whoever polls cgroup.events each time when the text in it changes. */
    snprintf(path, sizeof(path), "%s/cgroup.events", group);
    events.fd = open(path, O_RDONLY | O_CLOEXEC);
    clock_gettime(CLOCK_MONOTONIC, &start);
    now = start;
    while (group_number(group, "cgroup.events", "populated") == 1) {
        if (now.tv_sec - start.tv_sec >= LONGEST_WAIT / 1000) {
            close(events.fd);
            return -ETIMEDOUT;
        }
        char text[256];
        (void)!pread(events.fd, text, sizeof(text), 0); /* what has been read is no news */
        if (group_number(group, "cgroup.events", "populated") == 1)
            poll(&events, 1, 200);
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    close(events.fd);
    return 0;
}

/* Remove GROUP and the groups below it, the lowest first: rmdir(2) takes a group without children.
 */
static int remove_groups(const char *group)
{
    char path[LONGEST_GROUP];
    DIR *directory = opendir(group);

    while (group_next(directory, group, path))
        remove_groups(path);
    if (directory != NULL)
        closedir(directory);
    explain("rmdir %s\trmdir(\"%s\")", group, group);
    return rmdir(group) == -1 ? -errno : 0;
}

static bool is_made_up(const char *name)
{
    size_t prefix = strlen(MADE_UP);

    return strncmp(name, MADE_UP, prefix) == 0 && strlen(name) == prefix + 8 &&
           strspn(name + prefix, "0123456789abcdef") == 8;
}

/* Remove the groups of killed runs in GROUP and below, and disable what nobody uses there any more.
 * What another user has left is not ours. */
static void sweep(const char *group)
{
    char path[LONGEST_GROUP];
    DIR *directory = opendir(group);

    while (group_next(directory, group, path)) {
        bool noted = controllers_are_used(path);
        if (!noted && !is_made_up(path + strlen(group) + 1)) {
            sweep(path);
            continue;
        }
        int lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        bool is_dead = lock != -1 && flock(lock, LOCK_EX | LOCK_NB) == 0;
        /* A run that was killed before it could make its note had no process in the group yet. */
        if (is_dead && is_writable(path) && (!noted || empty_group(path) == 0))
            remove_groups(path);
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
static int make_group(struct cgroup *group, const char *name, unsigned controllers)
{
    int error = make_directory(group->parent, name, group->path);

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
        remove_groups(group->path);
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

/*
 * To move a process, or to have it born in another group, an ordinary user has to be allowed to
 * write cgroup.procs of the group where the old and the new branch part.
 */
static int check_move(const struct cgroup_tree *tree, const char *parent)
{
    char fork[LONGEST_GROUP], path[LONGEST_GROUP + 64];
    size_t same = 0, last = strlen(tree->top);

    for (; parent[same] == tree->own[same] && parent[same] != '\0'; same++)
        if (parent[same + 1] == '/' || parent[same + 1] == '\0')
            last = tree->own[same + 1] == '/' || tree->own[same + 1] == '\0' ? same + 1 : last;
    snprintf(fork, sizeof(fork), "%.*s", (int)last, parent);
    snprintf(path, sizeof(path), "%s/cgroup.procs", fork);
    if (access(path, W_OK) == 0)
        return 0;
    hint("to get there from one's own group one has to be allowed to write %.300s", path);
    return report("go from %s to %s", tree->own, parent);
}

/* What needs the lock: from a clean tree to a group of our own with the files we need in it. */
static int make_locked(struct cgroup *group, const struct cgroup_plan *plan)
{
    unsigned needed = limit_controllers(&plan->limits);
    int error;

    sweep(group->tree.top);
    if (plan->parent != NULL)
        error = find_parent(&group->tree, plan->parent, group->parent);
    else
        error = choose_parent(group, needed != 0);
    if (error == 0)
        error = check_move(&group->tree, group->parent);
    if (error != 0)
        return error;
    error = controllers_enable(&group->tree, group->parent, needed, plan->wanted);
    if (error != 0)
        return error;
    error = make_group(group, plan->name, needed | plan->wanted);
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
        step_back(group);
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
    int error = empty_group(group->path);

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
        error = remove_groups(group->path);
        errno = -error;
        if (error != 0)
            report("rmdir %s", group->path);
    }
    controllers_release(&group->tree, group->parent);
    step_back(group);
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
