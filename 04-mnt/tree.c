#define _GNU_SOURCE
#include "tree.h"

#include <fcntl.h>
#include <linux/mount.h> /* not together with <sys/mount.h>: some versions of the two clash */
#include <stdlib.h>
#include <string.h>
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

static long configure(int system, unsigned command, const char *key, const char *value)
{
    return syscall(SYS_fsconfig, system, command, key, value, 0);
}

int tree_new(const char *type, uint64_t attributes, const char *options)
{
    int system = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC), tree = -1;
    char *copy = options != NULL ? strdup(options) : NULL, *rest = copy, *key;

    if (system == -1 || (options != NULL && copy == NULL))
        return -1;
    long error = configure(system, FSCONFIG_SET_STRING, "source", type);
    while (error == 0 && (key = strsep(&rest, ",")) != NULL) { /* "mode=755,..." one by one */
        char *value = strchr(key, '=');
        if (value != NULL)
            *value++ = '\0';
        error = configure(system, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value);
    }
    if (error == 0 && configure(system, FSCONFIG_CMD_CREATE, NULL, NULL) == 0)
        tree = (int)syscall(SYS_fsmount, system, FSMOUNT_CLOEXEC, attributes);
    free(copy);
    close(system);
    return tree;
}

int tree_set(int tree, uint64_t attributes, int user_namespace, bool recursive)
{
    struct mount_attr change = {.attr_set = attributes, .userns_fd = (uint64_t)user_namespace};
    unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

    if (user_namespace > 0) /* it comes from the host, whose mounts may be shared */
        change.propagation = MS_PRIVATE;

    return (int)syscall(SYS_mount_setattr, tree, "", flags, &change, sizeof(change));
}

int tree_attach(int tree, int directory, const char *name)
{
    return (int)syscall(SYS_move_mount, tree, "", directory, name,
                        MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}
