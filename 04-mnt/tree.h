/*
 * Mounts held by a descriptor, the newer half of the mount interface: take a mount, change it while
 * nobody sees it, put it in its place. Thin wrappers, as not every libc has these calls yet.
 *
 * All return -1 with errno set if the kernel refuses.
 */
#ifndef TREE_H
#define TREE_H

#include <stdbool.h>
#include <stdint.h>

/* A copy of the mount at PATH and of all below it: a bind without a place. open_tree(2) */
int tree_copy(const char *path);

/*
 * Set ATTRIBUTES (MOUNT_ATTR_RDONLY, …) on the mount open as TREE, or with RECURSIVE on all below
 * it too. USER_NAMESPACE goes with MOUNT_ATTR_IDMAP, which also makes it private, and is 0
 * otherwise. mount_setattr(2)
 */
int tree_set(int tree, uint64_t attributes, int user_namespace, bool recursive);

/* Put TREE at the place open as TARGET. move_mount(2) */
int tree_attach(int tree, int target);

#endif
