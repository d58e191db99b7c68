#include "mask.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

/* What becomes of a path: covered by the null device, or by an empty directory; or read-only, where
 * programs look there. */
enum fate { BY_NULL, BY_EMPTY, READ_ONLY };
#define EMPTY "/empty" /* in the box's /dev, for a moment */

static const struct {
    const char *path;
    enum fate fate;
} table[] = {
    {"/proc/acpi", BY_EMPTY},           /* switches the machine's hardware */
    {"/proc/asound", BY_EMPTY},         /* sound cards: who plays what */
    {"/proc/interrupts", BY_NULL},      /* counts key strokes of others: a side channel */
    {"/proc/kcore", BY_NULL},           /* all memory of the machine */
    {"/proc/keys", BY_NULL},            /* keys of other boxes with the same user id */
    {"/proc/latency_stats", BY_NULL},   /* what the kernel waits for, everywhere */
    {"/proc/sched_debug", BY_NULL},     /* the processes of the machine */
    {"/proc/scsi", BY_EMPTY},           /* removes disks from the machine (CVE-2017-16539) */
    {"/proc/timer_list", BY_NULL},      /* the processes of the machine, kernel addresses */
    {"/proc/timer_stats", BY_NULL},     /* the same on old kernels */
    {"/proc/bus", READ_ONLY},           /* configuration space of PCI devices */
    {"/proc/fs", READ_ONLY},            /* settings of mounted file systems */
    {"/proc/irq", READ_ONLY},           /* which processor serves which device */
    {"/proc/sys", READ_ONLY},           /* core_pattern, modprobe: what the kernel starts as root */
    {"/proc/sysrq-trigger", READ_ONLY}, /* reboots, crashes, unmounts */
    {"/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle", BY_EMPTY}, /* reveals others' work */
    {"/sys/devices/virtual/powercap", BY_EMPTY}, /* power used: reveals keys (CVE-2020-8694) */
    {"/sys/firmware", BY_EMPTY},                 /* EFI variables: writing can brick a machine */
};

/*
 * Put SOURCE in FROM over PATH in ROOT, read-only: also /dev/null, or chmod on what it covers would
 * change the host's. Writing to it still works.
 */
static void put_over(const struct root *root, const char *path, const struct root *from,
                     const char *source)
{
    char name[PATH_MAX];

    snprintf(name, sizeof(name), "/proc/self/fd/%d%s", from->directory, source);
    explain("# take %s%s\topen_tree(\"%s%s\", OPEN_TREE_CLONE)", from->path, source, from->path,
            source);
    int tree = tree_copy(name);
    explain("# ... read-only\tmount_setattr(MOUNT_ATTR_RDONLY)");
    if (tree == -1 || tree_set(tree, TREE_READ_ONLY, 0, true) == -1)
        die("copy %s%s read-only", from->path, source);
    explain("mount --bind -o ro %s%s %s%s\tmove_mount(\"%s\")", from->path, source, root->path,
            path, path);
    if (tree_attach(tree, root->directory, path + 1) == -1)
        die("cover %s%s", root->path, path);
}

/*
 * What PATTERN finds in ROOT, because not every kernel has everything. The null device is the one
 * in the box's new /dev. An image may have put something else at /dev/null, which would show the
 * host through what it covers (CVE-2025-31133).
 */
static void mask(const struct root *root, const char *pattern, enum fate fate,
                 const struct root *dev)
{
    char whole[PATH_MAX];
    glob_t found = {.gl_pathc = 0};
    int above = snprintf(whole, sizeof(whole), "/proc/self/fd/%d", root->directory);

    strcpy(whole + above, pattern);
    if (glob(whole, GLOB_ERR | GLOB_NOCHECK, NULL, &found) != 0)
        fail("%s%s: can't be read", root->path, pattern);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i] + above;
        if (faccessat(root->directory, path + 1, F_OK, 0) == -1 && errno == ENOENT)
            continue;
        /* EXERCISE 10.1: depending on FATE, put over PATH the null device, the EMPTY directory, or
           PATH itself, which put_over() makes read-only. mount_setattr(2) */
        if (fate == READ_ONLY)
            put_over(root, path, root, path);
        else
            put_over(root, path, dev, fate == BY_NULL ? "/null" : EMPTY);
        /* END */
    }
    globfree(&found);
}

void mask_paths(const struct root *dev, const struct root *proc, const struct root *sys)
{
    explain("mkdir %s" EMPTY "\tmkdirat(\"empty\")", dev->path);
    if (mkdirat(dev->directory, &EMPTY[1], 0755) == -1)
        die("make %s" EMPTY, dev->path);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        bool in_proc = strncmp(table[i].path, "/proc/", 6) == 0;
        const char *pattern = table[i].path + strlen(in_proc ? "/proc" : "/sys");
        mask(in_proc ? proc : sys, pattern, table[i].fate, dev);
    }
    explain("rmdir %s" EMPTY "\tunlinkat(\"empty\")", dev->path);
    unlinkat(dev->directory, &EMPTY[1], AT_REMOVEDIR); /* the mounts of it stay */
}

void mask_allow_ping(const struct root *proc)
{
    /* The kernel takes only groups that the box has: all, those of its own range, or root's. */
    static const char *const groups[] = {"0 2147483647", "0 65535", "0 0"};
    int file = open_inside(proc->directory, "/sys/net/ipv4/ping_group_range", O_WRONLY, 0);

    if (file == -1 && errno == ENOENT)
        return; /* without IPv4 */
    for (int i = 0; i < 3; i++)
        if (write(file, groups[i], strlen(groups[i])) != -1) {
            close(file);
            return;
        }
    die("write %s/sys/net/ipv4/ping_group_range", proc->path);
}
