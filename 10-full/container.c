#include "container.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "../01-chroot/program.h"
#include "../01-chroot/tool.h"
#include "../02-uts/spawn.h"
#include "../02-uts/uts.h"
#include "../03-pid/init.h"
#include "../03-pid/proc.h"
#include "../04-mnt/devices.h"
#include "../05-ipc/ipc.h"
#include "../06-user/idmap.h"

/* The environment is shared across every layer of isolation (chapter 1), so it is made anew. */
static void set_environment(const struct run_options *options)
{
    const char *terminal = getenv("TERM");
    char *kept = terminal != NULL ? strdup(terminal) : NULL;

    clearenv();
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("HOME", "/root", 1);
    setenv("HOSTNAME", options->hostname, 1);
    if (kept != NULL)
        setenv("TERM", kept, 1);
    free(kept);
    for (int i = 0; i < options->environment_count; i++)
        putenv(options->environment[i]);
}

/*
 * /sys shows the machine. A new one may only be mounted by who owns the network namespace, so in a
 * user namespace without one of those the host's is bound. Read-only either way.
 */
static void mount_sys(const struct root *root, bool user_namespace)
{
    if (user_namespace)
        mount_bind(root, "/sys", "/sys", true);
    else
        mount_inside(root, "/sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

/* proc_mount() on a target in ROOT. The old root is still there, as a user namespace needs. */
static void mount_proc(const struct root *root)
{
    char path[32], shown[4096];
    int place = root_target(root, "/proc", S_IFDIR);

    snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
    snprintf(shown, sizeof(shown), "%s/proc", root->path);
    proc_mount(path, shown);
    close(place);
}

static void change_directory(const char *directory)
{
    if (chdir(directory) == -1) {
        if (errno == ENOENT)
            hint("it has to exist in the root directory of the box");
        die("working directory %s", directory);
    }
}

static noreturn void run_box(const struct run_options *options, const struct child *child,
                             const struct id_map *users, const struct id_map *groups)
{
    bool user_namespace = users->count > 0;

    if (user_namespace) {
        spawn_wait_go(child);                    /* 02 */
        idmap_become_root(users, groups, false); /* 06 */
    }
    mounts_make_private();                          /* 03 */
    struct root root = root_prepare(options->root); /* 04 */
    mount_devices(&root);                           /* 04 */
    ipc_mount_queues(&root);                        /* 05 */
    mount_proc(&root);                              /* 03 */
    mount_sys(&root, user_namespace);               /* 04 */
    for (int i = 0; i < options->volume_count; i++) {
        const struct bind *volume = &options->volumes[i];
        mount_bind(&root, volume->source, volume->target, volume->read_only); /* 04 */
    }
    if (options->read_only)
        mount_read_only(&root);          /* 04 */
    root_pivot(&root);                   /* 04 */
    uts_set_hostname(options->hostname); /* 02 */
    set_environment(options);
    change_directory(options->workdir);
    if (options->init)
        init_exec(child, options->command); /* 03 */
    spawn_exec(child, options->command);    /* 02, 01 */
}

int container_run(const struct run_options *options)
{
    uint64_t namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWIPC;
    struct id_map users = {.count = 0}, groups = {.count = 0};

    if (geteuid() != 0) {
        namespaces |= CLONE_NEWUSER;
        users = idmap_single(0, geteuid());
        groups = idmap_single(0, getegid());
    }
    struct child child = spawn(namespaces); /* 02 */
    if (child.pid == 0)
        run_box(options, &child, &users, &groups);
    if (users.count > 0) {
        idmap_write(child.pid, &users, &groups, false); /* 06 */
        spawn_go(&child);                               /* 02 */
    }
    return spawn_wait(&child); /* 02 */
}
