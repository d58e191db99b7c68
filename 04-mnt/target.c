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

enum { MAX_MISSING = 200 }; /* directories to make and links to follow for one target */

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
        fail("target '%s': has to be an absolute path inside the root", text);
    while ((name = strsep(&rest, "/")) != NULL) {
        if (strcmp(name, "..") == 0)
            fail("target '%s': leads out of the root", text);
        if (name[0] != '\0' && strcmp(name, ".") != 0)
            end = stpcpy(stpcpy(end, "/"), name);
    }
    if (end == target)
        fail("target '%s': is the root itself", text);
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
 * Make PATH, and first the directories above it that are missing too. A link stays as it is, and
 * what it leads to is made: a path inside the root like any other.
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
        mode_t mask = umask(022); /* the caller's is not for what others will use */
        made =
            kind == S_IFDIR ? mkdirat(above, name, 0755) : mknodat(above, name, S_IFREG | 0644, 0);
        umask(mask);
    }
    if (made == -1 && errno != EEXIST)
        die("make %s", target_shown(root, path));
    close(above);
}

/* As root_target(), after so many STEPS towards it. */
static int find_target(const struct root *root, const char *path, mode_t kind, int steps)
{
    int target = root_find(root, path);
    struct stat status;

    if (target == -1 && errno == ENOENT && root->make_missing) {
        if (steps > MAX_MISSING)
            fail("too many missing directories, or links in circles, on the way to %s",
                 target_shown(root, path));
        make_target(root, path, kind, steps);
        target = root_find(root, path);
    }
    if (target == -1 && errno == ELOOP && root->no_links) {
        hint("a link could lead the mount, and what protects it, anywhere: make it a directory");
        fail("target %s: expected a directory, found a symbolic link", target_shown(root, path));
    }
    if (target == -1 && errno == ENOENT)
        hint("what is mounted on has to exist: make it with mkdir (or touch, for a file)");
    if (target == -1 || fstat(target, &status) == -1)
        die("target %s", target_shown(root, path));
    if (S_ISDIR(status.st_mode) != (kind == S_IFDIR))
        fail("target %s: is %sa directory, and what is mounted there is %sone",
             target_shown(root, path), S_ISDIR(status.st_mode) ? "" : "not ",
             kind == S_IFDIR ? "" : "not ");
    return target;
}

int root_target(const struct root *root, const char *path, mode_t kind)
{
    return find_target(root, path, kind, 0);
}
