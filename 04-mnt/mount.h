/*
 * Mounts inside the new root: those that the user asks for, and those that every box needs. The
 * same path may lead elsewhere the next time, so later mounts in /dev or /proc go through the
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
    char *options;       /* a tmpfs's other options, or NULL */
};

/* Host. TEXT, SRC:DST or SRC:DST:ro, as a mount. */
struct bind bind_parse(const char *text);

/*
 * Host. TEXT, DST or DST:OPTIONS, as a tmpfs with docker's options: ro, rw, exec, noexec, suid,
 * nosuid, dev, nodev. If two contradict each other, the last one counts. Default:
 * rw,noexec,nosuid,nodev. All others, such as size= or mode=, are tmpfs(5)'s own, and the kernel
 * checks them.
 */
struct bind tmpfs_parse(const char *text);

/* Host. End the tool if two of COUNT MOUNTS have the same target. */
void targets_check(const struct bind *mounts, int count);

/*
 * Mount SOURCE, a path of the host, at TARGET in ROOT, together with all mounts below it, all with
 * mount(2)'s MS_* FLAGS.
 */
void mount_bind(const struct root *root, const char *source, const char *target,
                unsigned long flags);

/* A copy of the mount at SOURCE, a path of the host, and of all below, for mount_tree(). */
int mount_take(const char *source);

/* Like mount_bind(), with a mount that is open as TREE and stays open; SOURCE is its name. */
void mount_tree(const struct root *root, int tree, const char *source, const char *target,
                unsigned long flags);

/*
 * A new file system of TYPE on the directory TARGET in ROOT; FLAGS and OPTIONS as for mount_new()
 * of chapter 3. Returns the mount as a descriptor, which the caller closes.
 */
int mount_inside(const struct root *root, const char *target, const char *type, unsigned long flags,
                 const char *options);

/*
 * Like mount_inside(), but links are an error: for what the tool itself relies on, such as /dev.
 * Returns the mount as a root for later mounts below it, so that TARGET is looked up only once.
 */
struct root mount_root(const struct root *root, const char *target, const char *type,
                       unsigned long flags, const char *options);

/* The same for a bind of SOURCE. */
struct root mount_bound_root(const struct root *root, const char *source, const char *target,
                             unsigned long flags);

#endif
