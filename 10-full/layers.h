/*
 * The root of a box: a directory as it is, or a layer of its own on those of an image (chapter 9).
 *
 * With a user namespace that root has made, the files belong to the host's users on the disk, and
 * have to belong to the box's in the box: an idmapped mount of them says so, and changes nothing on
 * the disk. mount_setattr(2), "ID-mapped mounts". The host makes such a mount without a place, a
 * tree, once the box has its maps, and sends it to the box, which puts it in place.
 */
#ifndef LAYERS_H
#define LAYERS_H

#include "../04-mnt/mount.h"
#include "../09-overlay/image.h"

struct layers {
    const char *directory; /* the root, if it is a directory; otherwise NULL, and: */
    struct image image;    /* held against removal as long as this process lives */
    const char *images;    /* the directory with the layers of all images */
    bool on_disk;          /* the box's layer lies there, and not in memory */
    const char *box;       /* then: the directory with its upper and overlay's own work */
    struct stack stack;
};

enum { LAYERS_TREES = 2 }; /* at most */

/*
 * Host. SOURCE is a directory if it is one or has a "/" in it, otherwise an image's name. LAYERS is
 * zero before. Returns 0 or, after report(), -errno.
 */
int layers_open(struct layers *layers, const char *source);

/*
 * Either side. Does a tmpfs keep attributes "user.*", and with them the marks of overlay in a user
 * namespace? From Linux 6.6 on. Before, no directory of a lower layer can be deleted or renamed if
 * the upper one is a tmpfs.
 */
bool layers_fit_tmpfs(void);

/* Host. Make the box's layer in the directory BOX. Returns 0 or, after report(), -errno. */
int layers_make(struct layers *layers, const char *box);

/*
 * Host. A tree of DIRECTORY and all below it, on which owners are as the user namespace open as
 * USERS maps them. Returns a descriptor, or -errno after report().
 */
int layers_idmap(const char *directory, int users);

/* Either side. The directories that layers_mount() needs as trees, in PATHS. Returns their number.
 */
int layers_sources(const struct layers *layers, const char *paths[LAYERS_TREES]);

/*
 * Box, in its mount namespace. Make the root and return it; out of TREES of those directories,
 * unless that is NULL, which are closed then. An error ends the tool.
 */
struct root layers_mount(struct layers *layers, const int *trees);

#endif
