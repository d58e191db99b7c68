/*
 * Targets: places in the new root to mount on.
 *
 * The files below the new root may belong to somebody else, who may have put symbolic links where
 * we are about to mount. So openat2(2) resolves every target inside the root, and the mount goes
 * to its descriptor: no link leads out, not even one that changes at the same time.
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
    bool make_missing; /* create missing targets; otherwise they are errors */
    bool no_links;     /* a link on the way to a target is an error */
};

/*
 * Host. TEXT as a target: an absolute path without "..". The result is allocated and has no "//"
 * or "/./", so that one target has one name.
 */
char *target_parse(const char *text);

/* TARGET in ROOT as the shell would name it, for errors. The text is valid until the next call. */
const char *target_shown(const struct root *root, const char *target);

/* PATH inside ROOT, open with O_PATH; the caller closes it. -1 with errno if it doesn't exist. */
int root_find(const struct root *root, const char *path);

/* The same, but only a missing PATH returns -1; any other failure is an error. */
int root_look(const struct root *root, const char *path);

/*
 * A target to mount on: PATH inside ROOT, a directory (KIND S_IFDIR) or a file (S_IFREG). With
 * MAKE_MISSING it is created if it is missing; if PATH is a link that leads nowhere, what it leads
 * to is created, inside ROOT as well. Returns an O_PATH descriptor, which the caller closes.
 */
int root_target(const struct root *root, const char *path, mode_t kind);

#endif
