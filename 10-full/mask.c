#include "mask.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/inside.h"
#include "../04-mnt/tree.h"

/* Covered in /proc: nothing can be read there, nothing written. */
static const char *const hidden[] = {
    "/acpi",          /* switches the machine's hardware */
    "/asound",        /* sound cards: who plays what */
    "/interrupts",    /* counts key strokes of others: a side channel */
    "/kcore",         /* all memory of the machine */
    "/keys",          /* keys of other boxes with the same user id */
    "/latency_stats", /* what the kernel waits for, everywhere */
    "/sched_debug",   /* the processes of the machine */
    "/scsi",          /* removes disks from the machine (CVE-2017-16539) */
    "/timer_list",    /* the processes of the machine, kernel addresses */
    "/timer_stats",   /* the same on old kernels */
};

/* The same in /sys. */
static const char *const hidden_in_sys[] = {
    "/devices/virtual/powercap", /* power used: reveals keys (CVE-2020-8694) */
    "/firmware",                 /* ACPI tables, EFI variables: writing can brick a machine */
};

/* Read-only in /proc: seen, as programs look there, but not changed. */
static const char *const read_only[] = {
    "/bus",           /* configuration space of PCI devices */
    "/fs",            /* settings of mounted file systems */
    "/irq",           /* which processor serves which device */
    "/sys",           /* core_pattern, modprobe: programs that the kernel starts as root */
    "/sysrq-trigger", /* reboots, crashes, unmounts */
};

/*
 * /dev/null, open with O_PATH. An image may have put something else there, which would then be
 * bound over /proc's files and show the host through them (CVE-2025-31133): so it is the host's,
 * and looked at before use.
 */
static int open_null(void)
{
    struct stat status;
    int null = open("/dev/null", O_PATH | O_CLOEXEC | O_NOFOLLOW);

    if (null == -1 || fstat(null, &status) == -1)
        die("open /dev/null");
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3))
        fail("/dev/null: is not the null device, and can't cover anything");
    return null;
}

/*
 * Put FILE, an open file whose name is SOURCE, read-only at PATH, which is open as PLACE. What is
 * covered by /dev/null has to be read-only too, or chmod on it would change the host's; writing to
 * it still works.
 */
static void put_over(const struct root *root, const char *path, int place, int file,
                     const char *source)
{
    char name[32];

    snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
    explain("mount --rbind %s %s%s\topen_tree(\"%s\", OPEN_TREE_CLONE|AT_RECURSIVE)", source,
            root->path, path, source);
    int tree = tree_copy(name);
    explain("mount -o remount,bind,ro %s%s\tmount_setattr(MOUNT_ATTR_RDONLY, AT_RECURSIVE)",
            root->path, path);
    if (tree == -1 || tree_set(tree, TREE_READ_ONLY, 0, true) == -1)
        die("bind %s read-only", source);
    explain("# ... and there it is\tmove_mount(\"%s%s\")", root->path, path);
    if (tree_attach(tree, place) == -1)
        die("cover %s%s", root->path, path);
    close(tree);
}

/* A file below /dev/null, a directory below an empty one. Not every kernel has all of them. */
static void hide(const struct root *root, const char *path, int null)
{
    char shown[PATH_MAX];
    struct stat status;
    int place = root_look(root, path);

    if (place == -1)
        return;
    snprintf(shown, sizeof(shown), "%s%s", root->path, path);
    if (fstat(place, &status) == -1)
        die("look at %s", shown);
    if (S_ISDIR(status.st_mode))
        close(mount_on(place, "tmpfs", shown, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                       "mode=555"));
    else
        put_over(root, path, place, null, "/dev/null");
    close(place);
}

/* How often each processor has been too hot reveals what others compute there. */
static void hide_temperatures(const struct root *sys, int null)
{
    int processors = open_inside(sys->directory, "/devices/system/cpu", O_RDONLY | O_DIRECTORY,
                                 RESOLVE_NO_SYMLINKS);
    DIR *directory = processors == -1 ? NULL : fdopendir(processors);
    struct dirent *entry;
    char path[PATH_MAX];

    if (directory == NULL && errno != ENOENT)
        die("read %s/devices/system/cpu", sys->path);
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (strncmp(entry->d_name, "cpu", 3) != 0 || entry->d_name[3] < '0' ||
            entry->d_name[3] > '9')
            continue;
        snprintf(path, sizeof(path), "/devices/system/cpu/%s/thermal_throttle", entry->d_name);
        hide(sys, path, null);
    }
    if (directory != NULL)
        closedir(directory);
}

/* Bound onto itself, a path is a mount, and can be read-only while the rest of /proc is not. */
static void forbid_writing(const struct root *root, const char *path)
{
    char shown[PATH_MAX];
    int place = root_look(root, path);

    if (place == -1)
        return;
    snprintf(shown, sizeof(shown), "%s%s", root->path, path);
    put_over(root, path, place, place, shown);
    close(place);
}

void mask_paths(const struct root *proc, const struct root *sys)
{
    int null = open_null();

    /* EXERCISE 10.3: cover what reveals the whole machine, and keep the box from changing its
       settings. openat2(2), move_mount(2), mount_setattr(2) */
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
        hide(proc, hidden[i], null);
    for (size_t i = 0; i < sizeof(hidden_in_sys) / sizeof(hidden_in_sys[0]); i++)
        hide(sys, hidden_in_sys[i], null);
    hide_temperatures(sys, null);
    for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++)
        forbid_writing(proc, read_only[i]);
    /* END */
    close(null);
}

void mask_mount_cgroup(const struct root *sys)
{
    close(mount_inside(sys, "/fs/cgroup", "cgroup2", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                       NULL));
}

/* The highest group of the box's first range of ids, or of the ranges that icmp(7) allows. */
static unsigned last_group(void)
{
    const unsigned highest = 2147483647;
    unsigned inside = 0, outside = 0, count = 1;
    FILE *map = fopen("/proc/self/gid_map", "re");

    if (map == NULL || fscanf(map, "%u %u %u", &inside, &outside, &count) != 3)
        die("read /proc/self/gid_map");
    fclose(map);
    return count - 1 < highest - inside ? inside + count - 1 : highest;
}

void mask_allow_ping(const struct root *proc)
{
    const char *path = "/sys/net/ipv4/ping_group_range";
    int file = open_inside(proc->directory, path, O_WRONLY, RESOLVE_NO_SYMLINKS);

    if (file == -1 && errno == ENOENT)
        return; /* without IPv4 */
    if (file == -1 || dprintf(file, "0 %u", last_group()) < 0)
        die("write %s%s", proc->path, path);
    close(file);
}
