#include "box.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../02-uts/uts.h"
#include "../03-pid/init.h"
#include "../03-pid/proc.h"
#include "../04-mnt/devices.h"
#include "../05-ipc/ipc.h"
#include "../09-overlay/descriptor.h"
#include "account.h"
#include "capability.h"
#include "harden.h"
#include "hosts.h"
#include "mask.h"
#include "nameserver.h"
#include "seccomp.h"
#include "terminal.h"

static int receive(const struct child *child)
{
    int descriptor = descriptor_receive(child->sync);
    if (descriptor < 0)
        _exit(EXIT_TOOL); /* the host has told why */
    return descriptor;
}

/* Only who is still to be forked gets the new clock, so an init has to come after it. */
static void move_boot_clock(int64_t seconds)
{
    explain("unshare --time --boottime %jd\tunshare(CLONE_NEWTIME)", (intmax_t)seconds);
    if (unshare(CLONE_NEWTIME) == -1)
        die("unshare the time namespace");
    int file = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    if (file == -1 || dprintf(file, "boottime %jd 0\n", (intmax_t)seconds) < 0)
        die("move the boot clock by %jd seconds", (intmax_t)seconds);
    close(file);
}

/* What follows counts on it. */
static void check_type(const struct root *mounted, long magic, const char *type)
{
    struct statfs system;

    if (fstatfs(mounted->directory, &system) == -1)
        die("look at %s", mounted->path);
    if ((long)system.f_type != magic)
        fail("%s: expected a %s, found another file system", mounted->path, type);
}

/* The old root is still there, as a user namespace needs. */
static struct root mount_proc(const struct root *root)
{
    struct root proc = mount_root(root, "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);

    check_type(&proc, PROC_SUPER_MAGIC, "proc");
    return proc;
}

/*
 * /sys shows the machine, and may only be mounted by who owns the network namespace: in a user
 * namespace without a network of its own, the host's is bound. Read-only either way. The box's
 * cgroup in it can't be mounted right on top of the host's tree, as that is the same file system:
 * mount(2), EBUSY.
 */
static struct root mount_sys(const struct root *root, const struct plan *plan)
{
    const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    bool bound = plan->users.count > 0 && !plan->own_network;
    struct root sys = bound ? mount_bound_root(root, "/sys", "/sys", flags)
                            : mount_root(root, "/sys", "sysfs", flags, NULL);

    check_type(&sys, SYSFS_MAGIC, "sysfs");
    if (bound && plan->grouped)
        close(mount_inside(&sys, "/fs/cgroup", "tmpfs", flags, "mode=755"));
    if (plan->grouped)
        mask_mount_cgroup(&sys); /* 08 */
    return sys;
}

/* The volumes as trees, in the order of the options; -1 for a tmpfs. To be freed. */
static int *open_volumes(const struct plan *plan, const struct child *child)
{
    int count = plan->options->volume_count;
    int *trees = calloc((size_t)count + 1, sizeof(*trees));

    if (trees == NULL)
        die("calloc");
    for (int i = 0; i < count; i++) {
        const char *source = plan->options->volumes[i].source;
        if (source == NULL)
            trees[i] = -1;
        else
            trees[i] = plan->mapped ? receive(child) : mount_take(source);
    }
    return trees;
}

static void mount_volumes(const struct root *root, const struct plan *plan, int *trees)
{
    for (int i = 0; i < plan->options->volume_count; i++) {
        const struct bind *volume = &plan->options->volumes[i];
        if (trees[i] == -1)
            close(mount_inside(root, volume->target, "tmpfs", volume->flags, volume->options));
        else
            mount_tree(root, trees[i], volume->source, volume->target,
                       MS_NODEV | (volume->read_only ? MS_RDONLY : 0));
        close(trees[i]);
    }
    free(trees);
}

/*
 * A working directory that isn't there is made, for the user of the command: an image may name one
 * that none of its layers has. Only in ROOT, and through no link of /proc: its path isn't trusted.
 */
static void make_workdir(const struct root *root, const char *path, const struct account *account)
{
    unsigned user = account->user, group = account->group;

    if (path == NULL || path[0] == '\0')
        return;
    int place = root_find(root, path);
    if (place == -1 && errno == ENOENT) {
        place = root_target(root, path, S_IFDIR);
        explain("chown %u:%u %s/%s\tfchownat(%u, %u)", user, group, root->path,
                path + strspn(path, "/"), user, group);
        if (fchownat(place, "", user, group, AT_EMPTY_PATH) == -1)
            die("give the working directory %s to user %u", path, user);
    }
    if (place != -1) /* else environment_enter() will say why it can't be entered */
        close(place);
}

/* Chapter 4 has given /dev/shm its usual size, which a SIZE of 0 leaves. */
static void resize_shm(const struct root *dev, long long size)
{
    char path[32], option[32];

    if (size == 0)
        return;
    int shm = root_find(dev, "/shm");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", shm);
    snprintf(option, sizeof(option), "size=%lld", size);
    explain("mount -o remount,%s %s/shm\tmount(\"%s/shm\", MS_REMOUNT|..., \"%s\")", option,
            dev->path, dev->path, option);
    if (shm == -1 || mount(NULL, path, NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV, option) == -1)
        die("resize /dev/shm to %lld bytes", size);
    close(shm);
}

/* A directory of the host's gets no file that it hasn't got, unless it is asked for. */
static void bind_names(const struct root *root, const struct root *dev, const struct plan *plan)
{
    const struct run_options *options = plan->options;
    const struct lease here = {.address = INADDR_LOOPBACK, .gateway = INADDR_LOOPBACK};
    const struct lease *lease = plan->linked ? plan->network.lease : &here;
    bool image = plan->layers.directory == NULL;
    char *hosts = hosts_compose(options->hosts, options->host_count, options->hostname,
                                lease->address, lease->gateway);

    if (plan->resolv != NULL && plan->resolv[0] != '\0')
        nameserver_bind(root, dev, "resolv.conf", plan->resolv, image || options->dns_count > 0);
    nameserver_bind(root, dev, "hosts", hosts, image || options->host_count > 0);
    free(hosts);
}

/* Give up all power that the command shall not have. The order matters: see capability.h. */
static void drop_privileges(const struct plan *plan, const struct account *account)
{
    bool ordinary = plan->users.count > 0 && !plan->mapped;

    capability_check(&plan->options->capabilities);
    capability_bound(plan->capabilities);
    capability_keep();
    account_become(account, ordinary);
    capability_hold(plan->capabilities, account->user);
    harden_no_new_privileges();
}

/* The road, with the number of the chapter that each step comes from. */
noreturn void box_run(struct plan *plan, struct child *child)
{
    const struct run_options *options = plan->options;
    struct account account;
    int terminal = -1;

    spawn_wait_go(child); /* 02 */
    if (options->has_offset)
        move_boot_clock(options->boot_offset); /* 10 */
    if (plan->users.count > 0)
        idmap_become_root(&plan->users, &plan->groups, false); /* 06 */

    mounts_make_private(); /* 03 */
    int *volumes = open_volumes(plan, child);
    struct root root = layers_mount(&plan->layers, child, plan->mapped); /* 04, 09 */
    struct root dev = mount_devices(&root);                              /* 04 */
    resize_shm(&dev, options->shm_size);                                 /* 10 */
    ipc_mount_queues(&dev, "/mqueue");                                   /* 05 */
    struct root proc = mount_proc(&root);                                /* 03, 04 */
    struct root sys = mount_sys(&root, plan);                            /* 04, 08 */
    if (plan->own_network)
        mask_allow_ping(&proc);                                 /* 10 */
    mask_paths(&proc, &sys);                                    /* 10 */
    bind_names(&root, &dev, plan);                              /* 10 */
    mount_volumes(&root, plan, volumes);                        /* 04 */
    account_find(&root, plan->user, options->groups, &account); /* 10 */
    make_workdir(&root, plan->workdir, &account);               /* 04 */
    if (options->terminal)
        terminal = terminal_open(&dev, child, account.user, true); /* 10 */
    if (options->read_only)
        mount_read_only(&root);          /* 04 */
    harden_nosuid(&root);                /* 10 */
    root_pivot(&root);                   /* 04 */
    uts_set_hostname(options->hostname); /* 02 */
    if (plan->linked)
        network_configure(&plan->network); /* 07 */
    else if (plan->own_network)
        network_loopback(); /* 07 */

    environment_set(&plan->environment, options->hostname, account.home); /* 10, from here on */
    environment_enter(plan->workdir);
    rlimit_set(&options->limits);
    harden_new_keyring();
    if (!options->terminal || options->detach)
        streams_enter(&plan->streams);
    if (options->terminal)
        terminal_become(terminal);
    else
        harden_new_session();
    drop_privileges(plan, &account);
    if (options->init || options->has_offset) {
        harden_undumpable();
        init_stay_behind(child); /* 03 */
    }
    if (options->seccomp)
        seccomp_install(plan->capabilities);
    spawn_exec(child, plan->command); /* 02, 01 */
}
