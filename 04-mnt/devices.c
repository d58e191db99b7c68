#include "devices.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

/* Numbers from the kernel's Documentation/admin-guide/devices.txt, the same on every machine. */
static const struct {
    const char *name;
    unsigned major, minor;
} devices[] = {
    {"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
    {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
};

static const struct {
    const char *name, *goal;
} links[] = {
    {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"},
};

/* In a user namespace mknod(2) is refused, or makes a device that can't be opened: bind instead. */
static bool may_make_devices(void)
{
    unsigned inside = 0, outside = 1, count = 0;
    FILE *map = fopen("/proc/self/uid_map", "re");

    if (map == NULL)
        return false;
    int got = fscanf(map, "%u %u %u", &inside, &outside, &count);
    fclose(map);
    return got == 3 && inside == 0 && outside == 0 && count == 4294967295U;
}

static void make_device(const struct root *root, int dev, size_t i)
{
    const char *name = devices[i].name;
    unsigned major = devices[i].major, minor = devices[i].minor;

    explain("mknod -m 666 %s/dev/%s c %u %u\tmknodat(\"%s\", S_IFCHR|0666, makedev(%u, %u))",
            root->path, name, major, minor, name, major, minor);
    if (mknodat(dev, name, S_IFCHR | 0666, makedev(major, minor)) == -1)
        die("mknod /dev/%s", name);
}

static void bind_device(const struct root *root, size_t i)
{
    char path[32];

    snprintf(path, sizeof(path), "/dev/%s", devices[i].name);
    mount_bind(root, path, path, false);
}

void mount_devices(const struct root *root)
{
    struct root writable = {root->directory, root->path, true}; /* the new /dev is ours to fill */

    mount_inside(root, "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k");
    int dev = root_target(root, "/dev", S_IFDIR);
    bool make = may_make_devices();
    mode_t mask = umask(0);
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        if (make)
            make_device(root, dev, i);
        else
            bind_device(&writable, i);
    }
    umask(mask);
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        explain("ln -s %s %s/dev/%s\tsymlinkat(\"%s\", \"%s\")", links[i].goal, root->path,
                links[i].name, links[i].goal, links[i].name);
        if (symlinkat(links[i].goal, dev, links[i].name) == -1)
            die("link /dev/%s", links[i].name);
    }
    close(dev);
    mount_inside(&writable, "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                 "newinstance,ptmxmode=0666,mode=620");
    close(root_target(&writable, "/dev/mqueue", S_IFDIR));
    mount_inside(&writable, "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=64m");
}
