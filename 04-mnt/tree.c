#include "tree.h"

#include <fcntl.h>
#include <linux/mount.h> /* not together with <sys/mount.h>: some versions of the two clash */
#include <sys/syscall.h>
#include <unistd.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

int tree_copy(const char *path)
{
    return (int)syscall(SYS_open_tree, AT_FDCWD, path,
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
}

int tree_set(int tree, uint64_t attributes, int user_namespace, bool recursive)
{
    struct mount_attr change = {.attr_set = attributes, .userns_fd = (uint64_t)user_namespace};
    unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

    if (user_namespace > 0) /* it comes from the host, whose mounts may be shared */
        change.propagation = MS_PRIVATE;

    return (int)syscall(SYS_mount_setattr, tree, "", flags, &change, sizeof(change));
}

int tree_attach(int tree, int target)
{
    return (int)syscall(SYS_move_mount, tree, "", target, "",
                        MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}
