/*
 * Targets: places in the new root to mount on.
 *
 * The files below the new root may belong to somebody else, who may have put symbolic links where
 * we are about to mount. So every target is resolved inside the root by openat2(2) and mounted on
 * through its descriptor: no link leads out, not even one that is changed meanwhile.
 *
 * All functions run in the box unless it says host. An error ends the tool.
 */
#ifndef TARGET_H
#define TARGET_H

#include <stdbool.h>
#include <sys/stat.h>

/* The root that targets are resolved in. */
struct root {
    int directory;     /* open with O_PATH */
    const char *path;  /* its name, for errors and --explain; "" for the root we already have */
    bool make_missing; /* make a target that isn't there; otherwise that is an error */
    bool no_links;     /* a link on the way to a target is an error */
};

/*
 * Host. TEXT as a target: an absolute path without "..". Returned without "//" and "/./", so that
 * one target has one name; allocated.
 */
char *target_parse(const char *text);

/* TARGET in ROOT as the shell would name it, for errors. The text lasts until the next call. */
const char *target_shown(const struct root *root, const char *target);

/* PATH inside ROOT, open with O_PATH, which the caller closes; -1 with errno if it isn't there. */
int root_find(const struct root *root, const char *path);

/* The same for what may be missing: -1 then, but with NO_LINKS a link on the way is an error. */
int root_look(const struct root *root, const char *path);

/*
 * A target to mount on: PATH inside ROOT, a directory (KIND S_IFDIR) or a file (S_IFREG). If
 * MAKE_MISSING, it is made, and where PATH is a link that leads nowhere, what that leads to, inside
 * ROOT as well. Returns a descriptor open with O_PATH; the caller closes it.
 */
int root_target(const struct root *root, const char *path, mode_t kind);

#endif
