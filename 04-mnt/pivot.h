/*
 * The root of the box: a directory becomes the root of a mount namespace, and the old root goes.
 * After mounts_make_private(). All functions run in the box, and an error ends the tool.
 *
 * Somebody else may have made device files in that directory, the disk's for one. They open
 * nothing: only the box's own /dev has devices.
 */
#ifndef PIVOT_H
#define PIVOT_H

#include "target.h"

/*
 * How mounts and unmounts travel between this mount namespace and the host's: "private" not at all,
 * "slave" from the host to the box, "shared" both ways where the host's mounts are shared. Comes
 * before the first mount. mount_namespaces(7)
 */
void mounts_set_propagation(const char *kind);

/* The root as it is. */
struct root root_current(void);

/* DIRECTORY, made a mount point by binding it to itself, as pivot_root(2) demands; no devices. */
struct root root_prepare(const char *directory);

/* DIRECTORY, which is a mount point already. */
struct root root_at(const char *directory);

/* As root_prepare(), with a mount of SOURCE that is open as TREE: it is attached to DIRECTORY. */
struct root root_adopt(int tree, const char *source, const char *directory);

/* Make ROOT itself read-only; what is mounted below it stays as it is. mount_setattr(2) */
void mount_read_only(const struct root *root);

/* Make ROOT the root of this mount namespace, drop the old one, go to "/". pivot_root(2) */
void root_pivot(const struct root *root);

#endif
