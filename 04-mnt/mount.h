/*
 * Mounts that make a root: a directory becomes the root of the box, with what is bound or mounted
 * into it, and the old root goes. All of it in a mount namespace of its own, after
 * mounts_make_private().
 *
 * The files below the new root may belong to somebody else, who may have put symbolic links where
 * we are about to mount. So every target is resolved inside the root by openat2(2),
 * RESOLVE_IN_ROOT, and mounted on through its descriptor: no link leads out, not even one that is
 * changed meanwhile. And the same path may lead elsewhere the next time: what is mounted in /dev or
 * /proc goes there through the descriptor of that very mount.
 *
 * They may also have made device files there, the disk's for one. They open nothing: only the box's
 * own /dev has devices, and a new tmpfs if that is asked for.
 *
 * All functions run in the box, and an error in any of them ends the tool.
 */
#ifndef MOUNT_H
#define MOUNT_H

#include <stdbool.h>
#include <sys/stat.h>

/* The root that targets are resolved in. */
struct root {
    int directory;     /* open with O_PATH */
    const char *path;  /* its name, for errors and --explain; "" for the root we already have */
    bool make_missing; /* make a target that isn't there; otherwise that is an error */
    bool no_links;     /* a link on the way to a target is an error */
};

/* A mount as the user asks for it: a bind, SRC:DST or SRC:DST:ro, or a tmpfs, see tmpfs.h. */
struct bind {
    char *source; /* a path of the host, NULL for a tmpfs; allocated, as is the rest */
    char *target; /* an absolute path in the root */
    bool read_only;
    unsigned long flags; /* of a tmpfs: MS_NOEXEC and the like, and its other options or NULL */
    char *options;
};

/* TEXT as a bind mount. Runs on the host; ends the tool if TEXT is malformed. */
struct bind bind_parse(const char *text);

/*
 * TEXT as a target: an absolute path without "..", or the end of the tool. Returned without "//"
 * and "/./", so that one target has one name; allocated. Runs on the host.
 */
char *target_parse(const char *text);

/* See that no two of COUNT MOUNTS have the same target. Runs on the host. */
void targets_check(const struct bind *mounts, int count);

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

/* PATH inside ROOT, open with O_PATH, which the caller closes; -1 with errno if it isn't there. */
int root_find(const struct root *root, const char *path);

/* The same for what need not be there: -1 if PATH leads nowhere; without links, if it is missing.
 */
int root_look(const struct root *root, const char *path);

/*
 * A target to mount on: PATH inside ROOT, a directory (KIND S_IFDIR) or a file (S_IFREG). If
 * MAKE_MISSING, it is made, and where PATH is a link that leads nowhere, what that leads to, inside
 * ROOT as well. Returns a descriptor open with O_PATH; the caller closes it.
 */
int root_target(const struct root *root, const char *path, mode_t kind);

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
 * A new file system of TYPE on the directory open as PLACE; SHOWN, FLAGS and OPTIONS as for
 * mount_new() of chapter 3. Returns the mount as a descriptor, which the caller closes.
 */
int mount_on(int place, const char *type, const char *shown, unsigned long flags,
             const char *options);

/* The same at TARGET in ROOT. */
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

/* Make ROOT itself read-only; what is mounted below it stays as it is. mount_setattr(2) */
void mount_read_only(const struct root *root);

/* Make ROOT the root of this mount namespace, drop the old one, go to "/". pivot_root(2) */
void root_pivot(const struct root *root);

#endif
