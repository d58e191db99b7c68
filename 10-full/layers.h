/*
 * The root of a box: a directory as it is, or a layer of its own on top of an image's (chapter 9).
 *
 * If root has made a user namespace for the box, the files belong to the host's users on the disk,
 * and must belong to the box's users in the box. An idmapped mount translates the owners and
 * changes nothing on the disk: mount_setattr(2), "ID-mapped mounts". The host makes such a mount
 * without a place (a tree) once the box has its maps, and sends it to the box, which attaches it.
 */
#ifndef LAYERS_H
#define LAYERS_H

#include "../02-uts/spawn.h"
#include "../04-mnt/mount.h"
#include "../09-overlay/descriptor.h"
#include "../09-overlay/image.h"

struct spec;

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
 * Host. SOURCE is a directory if it is one or contains a "/", otherwise an image's name. The box's
 * layer is to be KEPT on the disk, or not; IN_USERS says whether overlay is mounted in a user
 * namespace. LAYERS is zero before. Returns 0 or, after report(), -errno.
 */
int layers_open(struct layers *layers, const char *source, bool kept, bool in_users);

/* Host. Make the box's layer in the directory BOX. Returns 0 or, after report(), -errno. */
int layers_make(struct layers *layers, const char *box);

/*
 * Host. Where owners are mapped, make the trees of SPEC's volumes and root, and send them to CHILD.
 * Returns 0 or, after report(), -errno.
 */
int layers_send(const struct spec *spec, const struct child *child);

/*
 * Box. Receive them, or take those of the volumes where owners aren't mapped. Returns the number of
 * volumes, which come first in TREES. An error ends the tool.
 */
int layers_receive(const struct spec *spec, const struct child *child, int trees[DESCRIPTORS]);

/* Box, in its mount namespace. Make the root and return it, out of TREES, or of the directories
 * themselves if that is NULL. An error ends the tool. */
struct root layers_mount(struct layers *layers, const int *trees);

#endif
