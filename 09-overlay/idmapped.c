#include "idmapped.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/tree.h"

int overlay_idmap(const char *directory, int user_namespace)
{
    explain("# a copy of the mount of %s\topen_tree(\"%s\", OPEN_TREE_CLONE|AT_RECURSIVE)",
            directory, directory);
    int tree = tree_copy(directory);
    if (tree == -1)
        return report("open_tree %s", directory);
    explain("# ... mount --bind -o X-mount.idmap=/proc/PID/ns/user %s\t"
            "mount_setattr(MOUNT_ATTR_IDMAP)",
            directory);
    if (tree_set(tree, TREE_ID_MAPPED, user_namespace, true) == 0)
        return tree;

    int error = errno;
    if (error == EINVAL || error == ENOSYS)
        hint("ids can be mapped on ext4, xfs and btrfs, on tmpfs from Linux 6.3 on; not on an "
             "overlay or a network file system; chapter 10 can do without: --userns host");
    close(tree);
    errno = error;
    return report("map the ids on %s", directory);
}

/* PATH, if it lies in DIRECTORY, as it is called from PLACE. */
static const char *moved(const char *path, const char *directory, const char *place)
{
    size_t length = strlen(directory);
    char *there = NULL;

    if (path == NULL || strncmp(path, directory, length) != 0 ||
        (path[length] != '/' && path[length] != '\0'))
        return path;
    return asprintf(&there, "%s%s", place, path + length) == -1 ? path : there;
}

int overlay_replace(struct stack *stack, const char *directory, int tree, const char *scratch,
                    const char *name)
{
    char place[4096];

    snprintf(place, sizeof(place), "%s/%s", scratch, name);
    explain("mkdir %s\tmkdir(\"%s\", 0755)", place, place);
    if (mkdir(place, 0755) == -1)
        return report("mkdir %s", place);
    int target = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (target == -1)
        return report("open %s", place);
    explain("# ... and there it is\tmove_mount(\"%s\")", place);
    int error = tree_attach(tree, target) == -1 ? report("move_mount to %s", place) : 0;
    close(target);
    for (size_t i = 0; i < stack->count; i++)
        stack->lowers[i] = moved(stack->lowers[i], directory, place);
    stack->upper = moved(stack->upper, directory, place);
    stack->work = moved(stack->work, directory, place);
    return error;
}
