/*
 * The root of a box: a directory as it is, or a layer of its own on those of an image (chapter 9).
 * With a user namespace that root has made, both are seen through idmapped mounts.
 */
#ifndef LAYERS_H
#define LAYERS_H

#include "../04-mnt/mount.h"
#include "../09-overlay/image.h"

struct layers {
    const char *directory; /* the root, if it is a directory; otherwise NULL, and: */
    struct image image;    /* held against removal as long as this process lives */
    bool on_disk;          /* the box's layer lies there, and not in memory */
    const char *box;       /* then: the directory with its upper and overlay's own work */
    struct stack stack;
};

enum { LAYERS_TREES = 2 }; /* that layers_map() makes, at most */

/*
 * Host. SOURCE is a directory if it is one or has a "/" in it, otherwise an image's name. LAYERS is
 * zero before. Returns 0 or, after report(), -errno.
 */
int layers_open(struct layers *layers, const char *source);

/* Either side. How many trees layers_map() makes. */
int layers_trees(const struct layers *layers);

/* Host. Make the box's layer in the directory BOX. Returns 0 or, after report(), -errno. */
int layers_make(struct layers *layers, const char *box);

/*
 * Host. What the box needs, as TREES without a place, mapped for the user namespace open as USERS;
 * COUNT is raised by their number. Returns 0 or, after report(), -errno.
 */
int layers_map(const struct layers *layers, int users, int *trees, int *count);

/*
 * Box, in its mount namespace. Make the root and return it; out of TREES, unless that is NULL,
 * which are closed then. An error ends the tool.
 */
struct root layers_mount(struct layers *layers, const int *trees);

#endif
