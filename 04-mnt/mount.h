/*
 * Mounts of the box: its root, what is mounted in it, and the change to that root.
 *
 * Device files don't work in a new root or a bind, where somebody may have made one for the host's
 * disk: only in the box's own /dev, and in a tmpfs with the option dev.
 *
 * FLAGS are mount(2)'s MS_*. An error ends the tool. All functions run in the box, after
 * mounts_make_private(), unless it says host.
 */
#ifndef MOUNT_H
#define MOUNT_H

#include "target.h"

/* A mount as the user asks for it: a bind or a tmpfs. */
struct bind {
    char *source;        /* a path of the host, NULL for a tmpfs; never freed, as the rest */
    char *target;        /* an absolute path in the root */
    unsigned long flags; /* MS_RDONLY and the like */
    char *options;       /* a tmpfs's other options, or NULL */
};

/*
 * Host. TEXT as a bind, SRC:DST or SRC:DST:OPTIONS, or as a TMPFS, DST or DST:OPTIONS. OPTIONS are
 * docker's: ro, rw, exec, noexec, suid and nosuid, of which the last one counts; for a tmpfs also
 * dev, nodev and all of tmpfs(5)'s own, such as size=, which the kernel checks.
 */
struct bind bind_parse(const char *text, bool tmpfs);

/* DIRECTORY as the root: bound to itself, because pivot_root(2) requires a mount point. */
struct root root_prepare(const char *directory);

/* DIRECTORY, which must be a mount point already; "" for the root that we have. */
struct root root_at(const char *directory);

/* Make ROOT itself read-only; mounts below it stay as they are. mount_setattr(2) */
void mount_read_only(const struct root *root);

/* Make ROOT the root of this mount namespace, drop the old one, go to "/". pivot_root(2) */
void root_pivot(const struct root *root);

/* Mount SOURCE, a path of the host, and all mounts below it at TARGET in ROOT, all with FLAGS. */
void mount_bind(const struct root *root, const char *source, const char *target,
                unsigned long flags);

/* A copy of the mount at SOURCE, a path of the host, and of all below, for mount_tree(). */
int mount_take(const char *source);

/* Like mount_bind(), with a mount that is open as TREE and stays open; SOURCE is its name. */
void mount_tree(const struct root *root, int tree, const char *source, const char *target,
                unsigned long flags);

/* Set FLAGS on the mount open as TREE, which is at PATH, and on all mounts below it. */
void mount_set(int tree, const char *path, unsigned long flags);

/*
 * A new file system of TYPE with its own OPTIONS (NULL for none) on the directory TARGET in ROOT.
 * Returns it as a root for later mounts, so that TARGET is looked up only once. It stays open until
 * the command is executed.
 */
struct root mount_inside(const struct root *root, const char *target, const char *type,
                         unsigned long flags, const char *options);

/*
 * Mount a new /dev in ROOT with null, zero, full, random, urandom and tty; pts and shm; the links
 * fd, stdin, stdout, stderr and ptmx; and an empty directory mqueue for chapter 5. The devices are
 * the host's, bound read-only. Returns it as a root for later mounts.
 */
struct root mount_devices(const struct root *root);

/*
 * Either side. The calls behind these, which not every libc has: mounts held by a descriptor, to be
 * changed while nobody sees them. They return -1 with errno set on error.
 */

/* Two of MOUNT_ATTR_*; those for ro, nosuid, nodev and noexec equal mount(2)'s MS_*. */
enum { TREE_READ_ONLY = 0x1, TREE_ID_MAPPED = 0x100000 };

/* A copy of the mount at PATH and of all mounts below it: a bind without a place. open_tree(2) */
int tree_copy(const char *path);

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
