/*
 * Mounts inside the new root: what the user asks for, and what every box needs. The same path may
 * lead elsewhere the next time; so what is mounted in /dev or /proc goes there through the
 * descriptor of that very mount.
 *
 * All functions run in the box unless it says host. An error ends the tool.
 */
#ifndef MOUNT_H
#define MOUNT_H

#include "pivot.h"
#include "target.h"

/* A mount as the user asks for it: a bind or a tmpfs. */
struct bind {
    char *source;        /* a path of the host, NULL for a tmpfs; allocated, as is the rest */
    char *target;        /* an absolute path in the root */
    unsigned long flags; /* MS_RDONLY and the like */
    char *options;       /* a tmpfs' others, or NULL */
};

/* Host. TEXT, SRC:DST or SRC:DST:ro, as a mount. */
struct bind bind_parse(const char *text);

/*
 * Host. TEXT, DST or DST:OPTIONS, as a tmpfs with docker's options: ro, rw, exec, noexec, suid,
 * nosuid, dev, nodev; the last of two that contradict each other counts. Default:
 * rw,noexec,nosuid,nodev. The others are tmpfs(5)'s own, size= or mode= for example, and the kernel
 * checks them.
 */
struct bind tmpfs_parse(const char *text);

/* Host. See that no two of COUNT MOUNTS have the same target. */
void targets_check(const struct bind *mounts, int count);

/*
 * Let SOURCE, a path of the host, appear at TARGET in ROOT, with all that is mounted below it, and
 * mount(2)'s MS_* FLAGS on all of that.
 */
void mount_bind(const struct root *root, const char *source, const char *target,
                unsigned long flags);

/* A copy of the mount at SOURCE, a path of the host, and of all below it, for mount_tree(). */
int mount_take(const char *source);

/* As mount_bind(), with a mount that is open as TREE, and stays open; SOURCE is its name. */
void mount_tree(const struct root *root, int tree, const char *source, const char *target,
                unsigned long flags);

/*
 * A new file system of TYPE on the directory TARGET in ROOT; FLAGS and OPTIONS as for mount_new()
 * of chapter 3. Returns the mount as a descriptor, which the caller closes.
 */
int mount_inside(const struct root *root, const char *target, const char *type, unsigned long flags,
                 const char *options);

/*
 * What the tool itself counts on, such as /dev: as mount_inside(), but links are an error. Returns
 * the mount as a root for what is to be mounted below it, so that TARGET is looked up only once.
 */
struct root mount_root(const struct root *root, const char *target, const char *type,
                       unsigned long flags, const char *options);

/* The same for a bind of SOURCE. */
struct root mount_bound_root(const struct root *root, const char *source, const char *target,
                             unsigned long flags);

#endif
