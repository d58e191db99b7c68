/*
 * Mounts inside the new root: those that the user asks for, and those that every box needs. The
 * same path may lead elsewhere the next time, so later mounts in /dev or /proc go through the
 * descriptor of that very mount.
 *
 * FLAGS are mount(2)'s MS_*. An error ends the tool. All functions run in the box unless it says
 * host.
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

/*
 * Host. TEXT, SRC:DST or SRC:DST:OPTIONS, as a bind. OPTIONS are ro, rw, exec, noexec, suid and
 * nosuid; if two contradict each other, the last one counts.
 */
struct bind bind_parse(const char *text);

/*
 * Host. TEXT, DST or DST:OPTIONS, as a tmpfs with docker's options: the same and dev and nodev, by
 * default rw,noexec,nosuid,nodev. All others, such as size=, are tmpfs(5)'s own: the kernel checks
 * them.
 */
struct bind tmpfs_parse(const char *text);

/* Mount SOURCE, a path of the host, and all mounts below it at TARGET in ROOT, all with FLAGS. */
void mount_bind(const struct root *root, const char *source, const char *target,
                unsigned long flags);

/* A copy of the mount at SOURCE, a path of the host, and of all below, for mount_tree(). */
int mount_take(const char *source);

/* Like mount_bind(), with a mount that is open as TREE and stays open; SOURCE is its name. */
void mount_tree(const struct root *root, int tree, const char *source, const char *target,
                unsigned long flags);

/*
 * A new file system of TYPE with its own OPTIONS (NULL for none) on the directory TARGET in ROOT.
 * Returns the mount as a descriptor, which the caller closes.
 */
int mount_inside(const struct root *root, const char *target, const char *type, unsigned long flags,
                 const char *options);

/*
 * Like mount_inside(), but links are an error: for what the tool itself relies on, such as /dev.
 * Returns the mount as a root for later mounts below it, so that TARGET is looked up only once.
 */
struct root mount_root(const struct root *root, const char *target, const char *type,
                       unsigned long flags, const char *options);

#endif
