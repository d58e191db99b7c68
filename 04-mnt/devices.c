#include "mount.h"

#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

static const char *const devices[] = {"/dev/null",    "/dev/zero", "/dev/full", "/dev/random",
                                      "/dev/urandom", "/dev/tty",  NULL};

static const struct {
    const char *name, *target;
} links[] = {
    {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"},
};

struct root mount_devices(const struct root *root)
{
    int trees[sizeof(devices) / sizeof(devices[0])];

    /* mknod(2) fails in a user namespace, so bind the host's before the new /dev hides them. */
    for (int i = 0; devices[i] != NULL; i++)
        trees[i] = mount_take(devices[i]);
    struct root strict = {root->directory, root->path, .no_links = true};
    /* Some pages for small files: one can have 64 KiB, on arm64. */
    struct root dev =
        mount_inside(&strict, "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=1m");
    for (int i = 0; devices[i] != NULL; i++) {
        const char *name = devices[i] + strlen("/dev/");
        explain("touch %s/%s\tmknodat(\"%s\")", dev.path, name, name);
        explain("mount --rbind %s %s/%s\tmove_mount(\"%s\")", devices[i], dev.path, name, name);
        if (mknodat(dev.directory, name, S_IFREG | 0644, 0) == -1 ||
            tree_attach(trees[i], dev.directory, name) == -1)
            die("bind %s to %s/%s", devices[i], dev.path, name);
        /* They can still be written to, but their owner and mode, the host's, can't be changed. */
        mount_set(trees[i], target_shown(&dev, name), MS_RDONLY);
    }
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        explain("ln -s %s %s/%s\tsymlinkat(\"%s\", \"%s\")", links[i].target, dev.path,
                links[i].name, links[i].target, links[i].name);
        if (symlinkat(links[i].target, dev.directory, links[i].name) == -1)
            die("link /dev/%s", links[i].name);
    }
    mount_inside(&dev, "/pts", "devpts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666,mode=620");
    mount_inside(&dev, "/shm", "tmpfs", MS_NOSUID | MS_NODEV, "size=64m");
    explain("mkdir %s/mqueue\tmkdirat(\"mqueue\")", dev.path);
    if (mkdirat(dev.directory, "mqueue", 0755) == -1)
        die("mkdir %s/mqueue", dev.path);
    return dev;
}
