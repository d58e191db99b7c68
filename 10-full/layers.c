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
#include "spec.h"

/* NAME in DIRECTORY, never freed. */
static char *path_of(const char *directory, const char *name)
{
    char *path;

    if (asprintf(&path, "%s/%s", directory, name) == -1)
        die("asprintf");
    return path;
}

/*
 * Does a tmpfs keep attributes "user.*", and with them the marks of overlay in a user namespace?
 * From Linux 6.6 on. Before, no directory of a lower layer can be deleted or renamed if the upper
 * one is a tmpfs.
 */
static bool fit_tmpfs(void)
{
    int file = memfd_create("marks", MFD_CLOEXEC); /* as good as a file on a tmpfs */
    bool keeps = file != -1 && fsetxattr(file, "user.overlay.mark", "y", 1, 0) == 0;

    close(file);
    return keeps;
}

int layers_open(struct layers *layers, const char *source, bool kept, bool in_users)
{
    struct stat status;
    bool is_there = stat(source, &status) == 0;

    if (strchr(source, '/') == NULL && !(is_there && S_ISDIR(status.st_mode))) {
        int error = image_open(source, &layers->image);
        layers->images = error == 0 ? path_of(store_open(), "layers") : NULL;
        layers->on_disk = kept || (in_users && !fit_tmpfs());
        return error;
    }
    layers->directory = source;
    if (!is_there)
        return report("root directory %s", source);
    return S_ISDIR(status.st_mode) ? 0 : refuse("root directory %s: Not a directory", source);
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

/* A tree of DIRECTORY and all below it, on which owners are as the user namespace open as USERS
 * maps them. Returns a descriptor, or -errno after report(). */
static int map_owners(const char *directory, int users)
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
        hint("ids can be mapped on ext4 and xfs, on btrfs from Linux 5.15 on, on tmpfs from 6.3; "
             "not on an overlay or a network file system; --userns host does without");
    close(tree);
    errno = error;
    return report("map the ids on %s", directory);
}

/* The sources of the volumes in PATHS, COUNT of them with what the root is made of; returns the
 * number of the former. */
static int list_sources(const struct spec *spec, const char *paths[DESCRIPTORS], int *count)
{
    const struct layers *layers = &spec->layers;
    int volumes = 0;

    for (int i = 0; i < spec->volume_count; i++)
        if (spec->volumes[i].source != NULL)
            paths[volumes++] = spec->volumes[i].source;
    paths[volumes] = layers->directory != NULL ? layers->directory : layers->images;
    paths[volumes + 1] = layers->box;
    *count = volumes + (layers->box != NULL ? 2 : 1);
    return volumes;
}

int layers_send(const struct spec *spec, const struct child *child)
{
    const char *paths[DESCRIPTORS];
    int trees[DESCRIPTORS], count, sent = 0, error = 0;
    char path[64];

    list_sources(spec, paths, &count);
    snprintf(path, sizeof(path), "/proc/%d/ns/user", child->pid);
    int users = open(path, O_RDONLY | O_CLOEXEC);
    if (users == -1)
        return report("open %s", path);
    for (; sent < count && error == 0; sent += error == 0) {
        trees[sent] = map_owners(paths[sent], users);
        error = trees[sent] < 0 ? trees[sent] : 0;
    }
    if (error == 0)
        error = descriptors_send(child->sync, trees, count);
    while (sent > 0)
        close(trees[--sent]);
    close(users);
    return error;
}

int layers_receive(const struct spec *spec, const struct child *child, int trees[DESCRIPTORS])
{
    const char *paths[DESCRIPTORS];
    int count, volumes = list_sources(spec, paths, &count);

    if (spec->mapped && descriptors_receive(child->sync, trees, count) != 0)
        exit(EXIT_TOOL); /* the side that failed reports why */
    for (int i = 0; i < volumes && !spec->mapped; i++)
        trees[i] = mount_take(paths[i]);
    return volumes;
}

/* Put TREE, an open mount of SOURCE, on PLACE. */
static void attach(int tree, const char *source, const char *place)
{
    explain("mount --rbind %s %s\tmove_mount(\"%s\")", source, place, place);
    if (tree_attach(tree, AT_FDCWD, place) == -1)
        die("mount %s on %s", source, place);
    mount_set(tree, place, MS_NODEV);
}

/* The box's users may not be allowed to go where root on the host went to find the directory. But
 * what is put on "/" is in nobody's way: paths that begin there still lead to the old root. */
static struct root mount_directory(const char *directory, const int *trees)
{
    if (trees == NULL)
        return root_prepare(directory);
    attach(trees[0], directory, "/");
    return (struct root){.directory = trees[0], .path = directory};
}

struct root layers_mount(struct layers *layers, const int *trees)
{
    const char *images = layers->images;

    if (layers->directory != NULL)
        return mount_directory(layers->directory, trees);
    const char *scratch = overlay_scratch(&layers->stack, images);
    const char *merged = overlay_temporary(&layers->stack, scratch);
    if (trees != NULL) {
        images = overlay_directory(scratch, "layers");
        attach(trees[0], layers->images, images);
    }
    if (trees != NULL && layers->on_disk) {
        const char *box = overlay_directory(scratch, "box");
        attach(trees[1], layers->box, box);
        set_upper(layers, box);
    }
    image_stack(&layers->image, images, &layers->stack);
    overlay_mount(&layers->stack, merged);
    return root_at(merged);
}
