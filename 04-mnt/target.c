#define _GNU_SOURCE
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "inside.h"

enum { MAX_MISSING = 200 }; /* directories to create and links to follow for one target */

const char *target_shown(const struct root *root, const char *target)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", root->path, target + strspn(target, "/"));
    return path;
}

char *target_parse(const char *text)
{
    char *rest = strdup(text), *target = calloc(1, strlen(text) + 1), *end = target;
    const char *name;

    if (rest == NULL || target == NULL)
        die("target '%s'", text);
    if (text[0] != '/')
        fail("invalid target '%s': expected an absolute path in the root", text);
    while ((name = strsep(&rest, "/")) != NULL) {
        if (strcmp(name, "..") == 0)
            fail("invalid target '%s': '..' leads out of the root", text);
        if (name[0] != '\0' && strcmp(name, ".") != 0)
            end = stpcpy(stpcpy(end, "/"), name);
    }
    if (end == target)
        fail("invalid target '%s': it is the root itself", text);
    return target;
}

int root_find(const struct root *root, const char *path)
{
    return open_inside(root->directory, path, O_PATH, root->no_links ? RESOLVE_NO_SYMLINKS : 0);
}

int root_look(const struct root *root, const char *path)
{
    int found = root_find(root, path);

    if (found == -1 && errno != ENOENT && (root->no_links || (errno != ENOTDIR && errno != ELOOP)))
        die("look for %s", target_shown(root, path));
    return found;
}

static int find_target(const struct root *root, const char *path, mode_t kind, int steps);

/*
 * Create PATH, and first any missing directories above it. A link stays as it is; instead, create
 * what it leads to, which is a path inside the root like any other.
 */
static void make_target(const struct root *root, const char *path, mode_t kind, int steps)
{
    char *directory = dirname(strdupa(path)), *name = basename(strdupa(path));
    int above = find_target(root, directory, S_IFDIR, steps + 1), made = 0;
    char link[PATH_MAX], leads_to[2 * PATH_MAX];
    ssize_t length = readlinkat(above, name, link, sizeof(link) - 1);

    if (length >= 0) {
        link[length] = '\0';
        snprintf(leads_to, sizeof(leads_to), "%s/%s", link[0] == '/' ? "" : directory, link);
        close(find_target(root, leads_to, kind, steps + 1));
    } else {
        explain("%s %s\t%s(\"%s\")", kind == S_IFDIR ? "mkdir" : "touch", target_shown(root, path),
                kind == S_IFDIR ? "mkdirat" : "mknodat", name);
        mode_t mask = umask(022); /* the caller's may be too strict for the users of the box */
        made =
            kind == S_IFDIR ? mkdirat(above, name, 0755) : mknodat(above, name, S_IFREG | 0644, 0);
        umask(mask);
    }
    if (made == -1 && errno != EEXIST)
        die("make %s", target_shown(root, path));
    close(above);
}

/* Like root_target(), after STEPS steps on the way there. */
static int find_target(const struct root *root, const char *path, mode_t kind, int steps)
{
    int target = root_find(root, path);
    struct stat status;

    if (target == -1 && errno == ENOENT && root->make_missing) {
        if (steps > MAX_MISSING)
            fail("too many missing directories or a loop of links on the way to %s",
                 target_shown(root, path));
        make_target(root, path, kind, steps);
        target = root_find(root, path);
    }
    if (target == -1 && errno == ELOOP && root->no_links) {
        hint("a link could lead the mount anywhere: replace it with a directory");
        fail("target %s: expected a directory, found a symbolic link", target_shown(root, path));
    }
    if (target == -1 && errno == ENOENT)
        hint("a mount point must exist: create it with mkdir (or touch, for a file)");
    if (target == -1 || fstat(target, &status) == -1)
        die("target %s", target_shown(root, path));
    if (S_ISDIR(status.st_mode) != (kind == S_IFDIR))
        fail("target %s: expected a %s, found a %s", target_shown(root, path),
             kind == S_IFDIR ? "directory" : "file",
             S_ISDIR(status.st_mode) ? "directory" : "file");
    return target;
}

int root_target(const struct root *root, const char *path, mode_t kind)
{
    return find_target(root, path, kind, 0);
}
