/*
 * The root of the box: a directory becomes the root of a mount namespace, and the old root goes.
 * Call mounts_make_private() first. All functions run in the box, and an error ends the tool.
 *
 * Somebody else may have created device files in that directory, for the host's disk for example.
 * They open nothing: devices work only in the box's own /dev.
 */
#ifndef PIVOT_H
#define PIVOT_H

#include "target.h"

/* The root as it is. */
struct root root_current(void);

/* DIRECTORY, bound to itself because pivot_root(2) requires a mount point; without devices. */
struct root root_prepare(const char *directory);

/* DIRECTORY, which must be a mount point already. */
struct root root_at(const char *directory);

/* Set FLAGS, MS_*, on the mount open as TREE, which is at PATH, and on all mounts below it. */
void mount_set(int tree, const char *path, unsigned long flags);

/* Make ROOT itself read-only; mounts below it stay as they are. mount_setattr(2) */
void mount_read_only(const struct root *root);

/* Make ROOT the root of this mount namespace, drop the old one, go to "/". pivot_root(2) */
void root_pivot(const struct root *root);

#endif
