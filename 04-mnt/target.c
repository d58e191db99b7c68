#define _GNU_SOURCE
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

int open_inside(int root, const char *path, uint64_t flags, uint64_t resolve)
{
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
    };
    int file, tries = 100;

    /* EAGAIN: after a rename, the kernel can't be sure that the path is still inside the root. */
    do
        file = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
    while (file == -1 && errno == EAGAIN && --tries > 0);
    return file;
}

const char *target_shown(const struct root *root, const char *target)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", root->path, target + strspn(target, "/"));
    return path;
}

int root_find(const struct root *root, const char *path)
{
    return open_inside(root->directory, path, O_PATH, root->no_links ? RESOLVE_NO_SYMLINKS : 0);
}

/*
 * Create PATH, and first any missing directories above it. A link stays as it is; instead, create
 * what it leads to, which is a path inside the root like any other.
 */
static void make_target(const struct root *root, const char *path, mode_t kind)
{
    static char link[PATH_MAX];
    char *above = strdup(path), *slash = above != NULL ? strrchr(above, '/') : NULL, *leads_to;
    int made = 0;

    if (slash == NULL)
        die("target %s", path);
    *slash = '\0';
    const char *name = slash[1] != '\0' ? slash + 1 : ".";
    int directory = above[0] != '\0' ? root_target(root, above, S_IFDIR) : root->directory;
    ssize_t length = root->no_links ? -1 : readlinkat(directory, name, link, sizeof(link));
    if (length >= 0) {
        const char *from = link[0] == '/' ? "" : above;
        if (asprintf(&leads_to, "%s/%.*s", from, (int)length, link) == -1)
            die("asprintf");
        close(root_target(root, leads_to, kind));
        free(leads_to);
    } else if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
        explain("%s %s\t%s(\"%s\")", kind == S_IFDIR ? "mkdir" : "touch", target_shown(root, path),
                kind == S_IFDIR ? "mkdirat" : "mknodat", name);
        made = kind == S_IFDIR ? mkdirat(directory, name, 0755)
                               : mknodat(directory, name, S_IFREG | 0644, 0);
    }
    if (made == -1 && errno != EEXIST)
        die("make %s", target_shown(root, path));
    if (directory != root->directory)
        close(directory);
    free(above);
}

int root_target(const struct root *root, const char *path, mode_t kind)
{
    int target = root_find(root, path);

    if (target == -1 && errno == ENOENT && root->path[0] != '\0') {
        make_target(root, path, kind);
        target = root_find(root, path);
    }
    if (target != -1)
        return target;
    if (errno == ELOOP && root->no_links)
        hint("a link could lead the mount anywhere: replace it with a directory");
    else if (errno == ENOENT)
        hint("a mount point must exist: create it with mkdir (or touch, for a file)");
    die("target %s", target_shown(root, path));
}
