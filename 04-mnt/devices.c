#include "devices.h"

#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "inside.h"
#include "tree.h"

enum { DEVICES = 6 };

/* Numbers from the kernel's Documentation/admin-guide/devices.txt, the same on every machine. */
static const struct {
    const char *name;
    unsigned major, minor;
} devices[DEVICES] = {
    {"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
    {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
};

static const struct {
    const char *name, *goal;
} links[] = {
    {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"},
};

static void make_device(const struct root *dev, int i)
{
    const char *name = devices[i].name;
    unsigned major = devices[i].major, minor = devices[i].minor;

    explain("mknod -m 666 %s/%s c %u %u\tmknodat(\"%s\", S_IFCHR|0666, makedev(%u, %u))", dev->path,
            name, major, minor, name, major, minor);
    if (mknodat(dev->directory, name, S_IFCHR | 0666, makedev(major, minor)) == -1)
        die("mknod /dev/%s", name);
}

/* The host's devices, taken before a new /dev hides them; TREES gets each as a mount. */
static void take_devices(int trees[DEVICES])
{
    char path[32];

    for (int i = 0; i < DEVICES; i++) {
        snprintf(path, sizeof(path), "/dev/%s", devices[i].name);
        trees[i] = mount_take(path);
    }
}

/* Nobody else has seen this /dev yet: NAME there is what it was made as, and no link. */
static void bind_device(const struct root *dev, int tree, int i)
{
    const char *name = devices[i].name;

    explain("touch %s/%s\tmknodat(\"%s\")", dev->path, name, name);
    if (mknodat(dev->directory, name, S_IFREG | 0644, 0) == -1)
        die("make %s/%s", dev->path, name);
    explain("mount --rbind /dev/%s %s/%s\tmove_mount(\"%s\")", name, dev->path, name, name);
    if (tree_attach_at(tree, dev->directory, name) == -1)
        die("bind /dev/%s to %s/%s", name, dev->path, name);
    close(tree);
}

static void make_directory(const struct root *dev, const char *name)
{
    explain("mkdir %s/%s\tmkdirat(\"%s\")", dev->path, name, name);
    if (mkdirat(dev->directory, name, 0755) == -1)
        die("make %s/%s", dev->path, name);
}

struct root mount_devices(const struct root *root)
{
    int trees[DEVICES];
    /* There mknod(2) is refused: bind instead. */
    bool bind = in_user_namespace();

    if (bind)
        take_devices(trees);
    struct root dev = mount_root(root, "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k");
    mode_t mask = umask(0);
    for (int i = 0; i < DEVICES; i++) {
        if (bind)
            bind_device(&dev, trees[i], i);
        else
            make_device(&dev, i);
    }
    make_directory(&dev, "pts");
    make_directory(&dev, "mqueue");
    make_directory(&dev, "shm");
    umask(mask);
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        explain("ln -s %s %s/%s\tsymlinkat(\"%s\", \"%s\")", links[i].goal, dev.path, links[i].name,
                links[i].goal, links[i].name);
        if (symlinkat(links[i].goal, dev.directory, links[i].name) == -1)
            die("link /dev/%s", links[i].name);
    }
    close(mount_inside(&dev, "/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                       "newinstance,ptmxmode=0666,mode=620"));
    close(mount_inside(&dev, "/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=64m"));
    return dev;
}
