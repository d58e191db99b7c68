/*
 * Targets: places in the new root to mount on.
 *
 * The files below the new root may belong to somebody else, who may have put symbolic links where
 * we are about to mount. So openat2(2) resolves every target inside the root, and the mount goes
 * to its descriptor: neither ".." nor a link leads out, not even one that changes at the same time.
 *
 * The descriptors that are returned are the caller's, and are closed when the command is executed.
 */
#ifndef TARGET_H
#define TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* The root that targets are resolved in. */
struct root {
    int directory;    /* open with O_PATH */
    const char *path; /* as shown; "" for the root that we have, where nothing is created */
    bool no_links;    /* a link on the way to a target is an error */
};

/*
 * Either side. Open PATH with FLAGS as if the directory open as ROOT were "/" already; not even a
 * link of /proc leads out. RESOLVE adds restrictions, such as RESOLVE_NO_XDEV. -1 with errno on
 * error. openat2(2)
 */
int open_inside(int root, const char *path, uint64_t flags, uint64_t resolve);

/* Box. TARGET in ROOT as the shell would name it. The text is valid until the next call. */
const char *target_shown(const struct root *root, const char *target);

/* Box. PATH inside ROOT, open with O_PATH. -1 with errno on error, say if it doesn't exist. */
int root_find(const struct root *root, const char *path);

/*
 * Box. The same for a target to mount on, but an error ends the tool. In a new root a missing one
 * is created, a directory (KIND S_IFDIR) or a file (S_IFREG); if PATH is a link that leads nowhere,
 * what it leads to is created, inside ROOT as well.
 */
int root_target(const struct root *root, const char *path, mode_t kind);

#endif
