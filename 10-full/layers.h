/*
 * The root of a box: a directory as it is, or a layer of its own on those of an image (chapter 9).
 * With a user namespace that root has made, both are seen through idmapped mounts.
 */
#ifndef LAYERS_H
#define LAYERS_H

#include "../02-uts/spawn.h"
#include "../04-mnt/mount.h"
#include "../09-overlay/image.h"

struct layers {
    const char *directory; /* the root, if it is a directory; otherwise NULL, and: */
    struct image image;    /* held against removal as long as this process lives */
    char upper[1024];      /* the box's directory with its upper and work; "" if in memory */
    struct stack stack;
};

/*
 * Host. SOURCE is a directory if it is one or has a "/" in it, otherwise an image's name. LAYERS is
 * zero before. Returns 0 or, after report(), -errno.
 */
int layers_open(struct layers *layers, const char *source);

/*
 * Host. The layer of the box NAME shall go to the disk, into the store: its directory's name goes
 * into LAYERS, to be noted somewhere before layers_keep() makes it, with upper, and overlay's own
 * work beside it. Without these two the layer goes into memory, which not every kernel can for
 * every box: overlay_tmpfs_keeps_marks(). Only for an image. Both return 0 or, after report(),
 * -errno.
 */
int layers_name(struct layers *layers, const char *name);
int layers_keep(struct layers *layers);

/*
 * Host, while the box waits in layers_mount(). Send it what it needs, mapped for the user namespace
 * open as USERS. Returns 0 or, after report(), -errno.
 */
int layers_send(const struct layers *layers, const struct child *child, int users);

/*
 * Box, in its mount namespace. Make the root and return it; with MAPPED out of what layers_send()
 * sends. An error ends the tool.
 */
struct root layers_mount(struct layers *layers, const struct child *child, bool mapped);

#endif
