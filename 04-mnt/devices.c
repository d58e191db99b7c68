#include "devices.h"

#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "tree.h"

static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};

enum { DEVICES = sizeof(devices) / sizeof(devices[0]) };

static const struct {
    const char *name, *target;
} links[] = {
    {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"},
};

/*
 * Mount the host's device NAME, open as TREE, in DEV. Read-only still allows writing to the device,
 * but not changing its owner or mode, which are the host's. Nobody else has seen this /dev yet, so
 * NAME there is still the file just created, not a link.
 */
static void bind_device(const struct root *dev, int tree, const char *name)
{
    explain("touch %s/%s\tmknodat(\"%s\")", dev->path, name, name);
    if (mknodat(dev->directory, name, S_IFREG | 0644, 0) == -1)
        die("make %s/%s", dev->path, name);
    explain("# keep its owner and mode\tmount_setattr(MOUNT_ATTR_RDONLY)");
    if (tree_set(tree, TREE_READ_ONLY, 0, false) == -1)
        die("make /dev/%s read-only", name);
    explain("mount --rbind -o ro /dev/%s %s/%s\tmove_mount(\"%s\")", name, dev->path, name, name);
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
    char path[32];

    /* mknod(2) fails in a user namespace, so bind the host's before the new /dev hides them. */
    for (int i = 0; i < DEVICES; i++) {
        snprintf(path, sizeof(path), "/dev/%s", devices[i]);
        trees[i] = mount_take(path);
    }
    struct root dev = mount_root(root, "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k");
    mode_t mask = umask(022);
    for (int i = 0; i < DEVICES; i++)
        bind_device(&dev, trees[i], devices[i]);
    make_directory(&dev, "pts");
    make_directory(&dev, "mqueue");
    make_directory(&dev, "shm");
    umask(mask);
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        explain("ln -s %s %s/%s\tsymlinkat(\"%s\", \"%s\")", links[i].target, dev.path,
                links[i].name, links[i].target, links[i].name);
        if (symlinkat(links[i].target, dev.directory, links[i].name) == -1)
            die("link /dev/%s", links[i].name);
    }
    close(mount_inside(&dev, "/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                       "newinstance,ptmxmode=0666,mode=620"));
    close(mount_inside(&dev, "/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=64m"));
    return dev;
}
