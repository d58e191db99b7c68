#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "mount.h"

struct root root_at(const char *directory)
{
    struct root root = {.path = directory};

    root.directory = open(directory[0] ? directory : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root.directory == -1)
        die("root directory %s", directory);
    return root;
}

struct root root_prepare(const char *directory)
{
    /* After the bind "." still leads below the new mount; only the full path leads to it. */
    if (directory[strspn(directory, "./")] == '\0')
        directory = realpath(directory, NULL);
    if (directory == NULL)
        die("root directory");
    /* EXERCISE 4.1: pivot_root(2) needs a mount point: bind DIRECTORY to itself. mount(2) */
    explain("mount --rbind %s %s\tmount(\"%s\", \"%s\", NULL, MS_BIND|MS_REC, NULL)", directory,
            directory, directory, directory);
    if (mount(directory, directory, NULL, MS_BIND | MS_REC, NULL) == -1)
        die("root directory %s", directory);
    /* END */
    struct root root = root_at(directory);
    mount_set(root.directory, directory, MS_NODEV);
    return root;
}

void mount_read_only(const struct root *root)
{
    /* EXERCISE 4.3: make the root read-only. mount_setattr(2), mount.h */
    explain("mount -o remount,bind,ro %s/\tmount_setattr(\"%s/\", MOUNT_ATTR_RDONLY)", root->path,
            root->path);
    if (tree_set(root->directory, TREE_READ_ONLY, 0, false) == -1)
        die("make %s/ read-only", root->path);
    /* END */
}

void root_pivot(const struct root *root)
{
    explain("cd %s\tfchdir(\"%s\")", root->path, root->path);
    if (fchdir(root->directory) == -1)
        die("go to %s", root->path);

    /*
     * With "." for both, the old root ends up mounted on top of the new one and needs no directory
     * of its own. The next call unmounts the topmost. pivot_root(2) describes this in its NOTES.
     */
    /* EXERCISE 4.2: exchange the roots, then detach the old one. pivot_root(2), umount2(2) */
    explain("pivot_root . .\tpivot_root(\".\", \".\")");
    if (syscall(SYS_pivot_root, ".", ".") == -1) {
        if (errno == EINVAL)
            hint("the new root must be a mount point, neither it nor its parent may be shared, and "
                 "the old root can't be the initramfs");
        else if (errno == EBUSY)
            hint("it is the root already");
        die("pivot_root to %s", root->path);
    }
    explain("umount -l .\tumount2(\".\", MNT_DETACH)");
    if (umount2(".", MNT_DETACH) == -1)
        die("detach the old root");
    /* END */
    if (chdir("/") == -1)
        die("chdir /");
}
