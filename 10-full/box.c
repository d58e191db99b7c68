#define _GNU_SOURCE
#include "box.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../01-chroot/view.h"
#include "../02-uts/uts.h"
#include "../03-pid/init.h"
#include "../03-pid/proc.h"
#include "../05-ipc/ipc.h"
#include "capability.h"
#include "harden.h"
#include "mask.h"
#include "seccomp.h"
#include "streams.h"

/* The host's /sys. */
static struct root bind_sys(const struct root *root, unsigned long flags)
{
    struct root sys = {mount_take("/sys"), strdup(target_shown(root, "/sys")), true};

    mount_tree(root, sys.directory, "/sys", "/sys", flags);
    return sys;
}

/*
 * /sys shows the machine, and only the owner of the network namespace may mount it: in a user
 * namespace without a network of its own, the host's is bound. Read-only either way. The box's
 * cgroup in it can't be mounted right on top of the host's tree, as that is the same file system:
 * mount(2), EBUSY.
 */
static struct root mount_sys(const struct root *root, const struct spec *spec)
{
    const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    bool bound = spec->user_namespace && !(spec->namespaces & CLONE_NEWNET);
    struct root sys =
        bound ? bind_sys(root, flags) : mount_inside(root, "/sys", "sysfs", flags, NULL);

    if (bound && spec->grouped)
        mount_inside(&sys, "/fs/cgroup", "tmpfs", flags, "mode=755");
    if (spec->grouped)
        mount_inside(&sys, "/fs/cgroup", "cgroup2", flags, NULL); /* 08 */
    return sys;
}

static void mount_volumes(const struct root *root, const struct spec *spec, const int *tree)
{
    for (int i = 0; i < spec->volume_count; i++) {
        const struct bind *volume = &spec->volumes[i];
        if (volume->source == NULL)
            mount_inside(root, volume->target, "tmpfs", volume->flags, volume->options);
        else
            mount_tree(root, *tree++, volume->source, volume->target, volume->flags);
    }
}

/*
 * A working directory that isn't there is made, for the user of the command: an image may name one
 * that none of its layers has. Only in ROOT, and through no link of /proc: its path isn't trusted.
 */
static void make_workdir(const struct root *root, const char *path, const struct account *account)
{
    if (path == NULL || path[0] == '\0' || root_find(root, path) != -1 || errno != ENOENT)
        return; /* if it can't be entered, box_become() will say why */
    int place = root_target(root, path, S_IFDIR);
    if (fchownat(place, "", account->user, account->group, AT_EMPTY_PATH) == -1)
        die("give the working directory %s to user %u", path, account->user);
}

/*
 * The environment passes through every layer of isolation (chapter 1), so begin a new one: PATH,
 * HOME, HOSTNAME and TERM, and what is in LIST, where later ones count.
 */
static void set_environment(char **list, const char *hostname, const char *home)
{
    const char *terminal = getenv("TERM"); /* stays where execve(2) has put it */

    clearenv();
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("HOME", home, 1);
    setenv("HOSTNAME", hostname, 1);
    if (terminal != NULL)
        setenv("TERM", terminal, 1);
    for (; list != NULL && *list != NULL; list++)
        putenv(*list);
}

noreturn void box_become(const struct spec *spec, const struct account *account, int terminal,
                         struct child *child)
{
    const char *directory = spec->workdir != NULL && spec->workdir[0] ? spec->workdir : "/";

    set_environment(spec->environment, spec->hostname, account->home);
    if (chdir(directory) == -1)
        die("working directory %s", directory);
    harden_check_directory();
    for (int i = 0; i < RLIM_NLIMITS; i++)
        if (spec->limited[i] != NULL && setrlimit(i, &spec->limits[i]) == -1)
            die("ulimit %s", spec->limited[i]);
    /* No terminal to open as /dev/tty, and a group of its own: kill(2) of 0 would reach the tool.
     */
    if (setsid() == -1)
        die("setsid");
    streams_enter(spec, terminal);
    /* EXERCISE 10.3: give up all power that the command must not have. Each step needs what a later
       one takes away. capability.h, etc.h, harden.h, ../03-pid/init.h, seccomp.h */
    capability_bound(spec->capabilities);
    account_become(account, spec->user_namespace && spec->first_id == 0);
    capability_hold(spec->capabilities, spec->cap_add, account->user);
    harden_undumpable();
    harden_no_new_privileges();
    if (spec->init)
        init_stay_behind(child);
    if (spec->seccomp)
        seccomp_install(spec->capabilities);
    /* END */
    view_in_place_of_command();
    spawn_exec(child, spec->command); /* 02, 01 */
}

/* What the box sees, as far as the host's paths are needed for it. Returns its root. */
static struct root build_root(struct spec *spec, const struct child *child, struct account *account,
                              int *terminal)
{
    int trees[DESCRIPTORS], volumes = layers_receive(spec, child, trees);
    struct root root = layers_mount(&spec->layers, spec->mapped ? trees + volumes : NULL); /* 09 */
    struct root strict = {root.directory, root.path, .no_links = true};                    /* 04 */
    struct root dev = mount_devices(&root);                                                /* 04 */

    ipc_mount_queues(&dev, "/mqueue"); /* 05 */
    /* The old root is still there, as a user namespace needs for a new proc or sysfs. */
    struct root proc =
        mount_inside(&strict, "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    struct root sys = mount_sys(&strict, spec); /* 04, 08 */
    if (spec->namespaces & CLONE_NEWNET)
        mask_allow_ping(&proc);                             /* 10 */
    mask_paths(&dev, &proc, &sys);                          /* 10 */
    hosts_bind(&root, &dev, spec);                          /* 10 */
    mount_volumes(&root, spec, trees);                      /* 04 */
    account_find(&root, spec->user, spec->groups, account); /* 10 */
    make_workdir(&root, spec->workdir, account);            /* 04 */
    if (spec->tty)
        *terminal = terminal_open(&dev, child, account->user, true); /* 10 */
    return root;
}

/* The road, with the number of the chapter that each step comes from. */
noreturn void box_run(struct spec *spec, struct child *child)
{
    struct account account;
    int terminal = -1;

    spawn_wait_go(child); /* 02 */
    if (spec->user_namespace)
        idmap_become_root(&spec->user_map, &spec->group_map, false); /* 06 */

    mounts_make_private(); /* 03 */
    struct root root = build_root(spec, child, &account, &terminal);
    if (spec->read_only)
        mount_read_only(&root); /* 04 */
    /* Or a file that asks for a capability outside the bounding set could not be executed. */
    mount_set(root.directory, root.path, MS_NOSUID);
    root_pivot(&root);                   /* 04 */
    uts_set_names(spec->hostname, NULL); /* 02 */
    if (spec->namespaces & CLONE_NEWNET)
        network_configure(spec->linked ? &spec->net : NULL); /* 07 */

    harden_new_keyring(); /* 10, from here on */
    box_become(spec, &account, terminal, child);
}
