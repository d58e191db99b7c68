#define _GNU_SOURCE
#include "layers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../09-overlay/store.h"

/* NAME in DIRECTORY, never freed. */
static char *path_of(const char *directory, const char *name)
{
    char *path;

    if (asprintf(&path, "%s/%s", directory, name) == -1)
        die("asprintf");
    return path;
}

int layers_open(struct layers *layers, const char *source)
{
    struct stat status;
    bool is_there = stat(source, &status) == 0;

    if (strchr(source, '/') == NULL && !(is_there && S_ISDIR(status.st_mode))) {
        int error = image_open(source, &layers->image);
        layers->images = error == 0 ? path_of(store_open(), "layers") : NULL;
        return error;
    }
    layers->directory = source;
    if (!is_there)
        return report("root directory %s", source);
    return S_ISDIR(status.st_mode) ? 0 : refuse("root directory %s: Not a directory", source);
}

bool layers_fit_tmpfs(void)
{
    int file = memfd_create("marks", MFD_CLOEXEC); /* as good as a file on a tmpfs */
    bool keeps = file != -1 && fsetxattr(file, "user.overlay.mark", "y", 1, 0) == 0;

    close(file);
    return keeps;
}

static void set_upper(struct layers *layers, const char *box)
{
    layers->stack.upper = path_of(box, "upper");
    layers->stack.work = path_of(box, "work");
    layers->stack.is_fresh = true;
}

int layers_make(struct layers *layers, const char *box)
{
    layers->box = strdup(box);
    set_upper(layers, box);
    if (mkdir(layers->stack.upper, 0755) == -1 || mkdir(layers->stack.work, 0700) == -1)
        return report("make %s", layers->stack.upper);
    return 0;
}

int layers_idmap(const char *directory, int users)
{
    explain("# a copy of the mount of %s\topen_tree(\"%s\", OPEN_TREE_CLONE|AT_RECURSIVE)",
            directory, directory);
    int tree = tree_copy(directory);
    if (tree == -1)
        return report("open_tree %s", directory);
    explain("# ... mount --bind -o X-mount.idmap=/proc/PID/ns/user %s\t"
            "mount_setattr(MOUNT_ATTR_IDMAP)",
            directory);
    if (tree_set(tree, TREE_ID_MAPPED, users, true) == 0)
        return tree;

    int error = errno;
    if (error == EINVAL || error == ENOSYS)
        hint("ids can be mapped on ext4, xfs and btrfs, on tmpfs from Linux 6.3 on; not on an "
             "overlay or a network file system; --userns host does without");
    close(tree);
    errno = error;
    return report("map the ids on %s", directory);
}

int layers_sources(const struct layers *layers, const char *paths[LAYERS_TREES])
{
    paths[0] = layers->directory != NULL ? layers->directory : layers->images;
    paths[1] = layers->box;
    return layers->directory == NULL && layers->on_disk ? 2 : 1;
}

/* TREE, an open mount of SOURCE, on DIRECTORY, as a root. */
static struct root adopt(int tree, const char *source, const char *directory)
{
    struct root root = {.directory = tree, .path = directory};
    int place = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

    explain("mount --rbind %s %s\tmove_mount(\"%s\")", source, directory, directory);
    if (place == -1 || tree_attach(tree, place, "") == -1)
        die("root directory %s on %s", source, directory);
    close(place);
    mount_set(tree, directory, MS_NODEV);
    return root;
}

/* Put the TREE of SOURCE on a new directory SCRATCH/NAME, and return its path. */
static const char *attach(int tree, const char *source, const char *scratch, const char *name)
{
    const char *path = overlay_directory(scratch, name);

    close(adopt(tree, source, path).directory);
    return path;
}

/* The box's users may not be allowed to go where root on the host went to find the directory. */
static struct root mount_directory(const struct layers *layers, const int *trees)
{
    const char *directory = layers->directory;

    if (trees == NULL)
        return root_prepare(directory);
    bool is_open = access(directory, X_OK) == 0;
    return adopt(trees[0], directory, is_open ? directory : overlay_scratch(&layers->stack, NULL));
}

struct root layers_mount(struct layers *layers, const int *trees)
{
    const char *images = layers->images;

    if (layers->directory != NULL)
        return mount_directory(layers, trees);
    const char *scratch = overlay_scratch(&layers->stack, images);
    const char *merged = overlay_temporary(&layers->stack, scratch);
    if (trees != NULL) {
        images = attach(trees[0], images, scratch, "layers");
        if (layers->on_disk)
            set_upper(layers, attach(trees[1], layers->box, scratch, "box"));
    }
    image_stack(&layers->image, images, &layers->stack);
    overlay_mount(&layers->stack, merged);
    return root_at(merged);
}
