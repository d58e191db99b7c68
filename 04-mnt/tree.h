/*
 * Mounts held by a descriptor, the newer half of the mount interface: take a mount, change it while
 * nobody sees it, put it in its place. These are thin wrappers, because not every libc has the
 * calls yet. All return -1 with errno set on error.
 */
#ifndef TREE_H
#define TREE_H

#include <stdbool.h>
#include <stdint.h>

/* Two of MOUNT_ATTR_*, see tree.c. Those that mount(2) has, too, equal its MS_*. */
enum { TREE_READ_ONLY = 0x1, TREE_ID_MAPPED = 0x100000 };

/* A copy of the mount at PATH and of all mounts below it: a bind without a place. open_tree(2) */
int tree_copy(const char *path);

/*
 * A new file system of TYPE with its own OPTIONS (as mount(8) takes them; NULL for none), as a
 * mount with ATTRIBUTES that has no place yet. Unlike mount(2), this gives us a descriptor of the
 * very file system from the start. fsopen(2), fsconfig(2), fsmount(2)
 */
int tree_new(const char *type, uint64_t attributes, const char *options);

/*
 * Set ATTRIBUTES (TREE_READ_ONLY, …) on the mount open as TREE, and with RECURSIVE on all mounts
 * below it. USER_NAMESPACE goes with TREE_ID_MAPPED, which also makes the mount private, and is 0
 * otherwise. mount_setattr(2)
 */
int tree_set(int tree, uint64_t attributes, int user_namespace, bool recursive);

/*
 * Put TREE at NAME in the directory open as DIRECTORY; if NAME is "", on DIRECTORY, and if it is a
 * link, on the link. move_mount(2)
 */
int tree_attach(int tree, int directory, const char *name);

#endif
