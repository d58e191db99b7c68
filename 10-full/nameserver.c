#include "nameserver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/inside.h"
#include "../04-mnt/tree.h"

/*
 * Does PATH exist in ROOT? A link whose target is missing counts, as systemd's stub-resolv.conf is
 * while no systemd runs, if ROOT can be written to: there the target can be made.
 */
static bool exists(const struct root *root, const char *path)
{
    struct statvfs system;
    int there = root_look(root, path);

    if (there == -1 && errno == ENOENT && fstatvfs(root->directory, &system) == 0 &&
        !(system.f_flag & ST_RDONLY))
        there = open_inside(root->directory, path, O_PATH | O_NOFOLLOW, 0);
    if (there == -1)
        return false;
    close(there);
    return true;
}

void nameserver_bind(const struct root *root, const struct root *dev, const char *name,
                     const char *text, bool make)
{
    size_t length = strlen(text);
    char path[64], made[64], link[32];

    snprintf(path, sizeof(path), "/etc/%s", name);
    snprintf(made, sizeof(made), "/dev/%s", name);
    if (!make && !exists(root, path))
        return;

    /* A file on the tmpfs of /dev, whose name goes when it is in its place. */
    int file = openat(dev->directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    explain("echo '%.*s ...' >%s/%s\twrite(\"%s\")", (int)strcspn(text, "\n"), text, dev->path,
            name, name);
    if (file == -1 || fchmod(file, 0644) == -1 || write(file, text, length) != (ssize_t)length)
        die("write %s/%s", dev->path, name);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
    explain("# take what is at %s/%s\topen_tree(\"%s\", OPEN_TREE_CLONE)", dev->path, name, name);
    int tree = tree_copy(link);
    if (tree == -1)
        die("take %s/%s", dev->path, name);
    mount_tree(root, tree, made, path, 0);
    if (unlinkat(dev->directory, name, 0) == -1)
        die("unlink %s/%s", dev->path, name);
    close(tree);
    close(file);
}
