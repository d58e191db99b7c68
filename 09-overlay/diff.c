#define _GNU_SOURCE
#include "diff.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/inside.h"
#include "entries.h"

static bool is_whiteout(const struct stat *status)
{
    return S_ISCHR(status->st_mode) && status->st_rdev == makedev(0, 0);
}

bool diff_is_whiteout(int directory, const char *name)
{
    struct stat status;
    return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && is_whiteout(&status);
}

/* Which of the two it is depends on whether the stack was mounted in a user namespace. */
bool diff_is_opaque(int directory)
{
    char value;

    if (fgetxattr(directory, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y')
        return true;
    return fgetxattr(directory, "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

/* PATH in a layer, never through a symbolic link: strangers chose the names in it. */
static int open_in(int layer, const char *path, uint64_t flags)
{
    return open_inside(layer, path[0] ? path : ".", flags | O_NOFOLLOW, RESOLVE_NO_SYMLINKS);
}

/* What is PATH in a layer? False if the layer hasn't got it. */
static bool look_at(int layer, const char *path, struct stat *status)
{
    int file = open_in(layer, path, O_PATH);
    bool there = file != -1 && fstat(file, status) == 0;

    if (file != -1)
        close(file);
    return there;
}

static void print_line(char kind, const char *path)
{
    printf("%c ", kind);
    for (size_t control = 0; *path != '\0'; path++) {
        if (control == 0)
            control = tool_control(path);
        if (control == 0) {
            putchar(*path);
        } else {
            printf("\\%03o", (unsigned char)*path);
            control--;
        }
    }
    putchar('\n');
}

/* The names in the directory PATH of a layer. Returns as entries_read(). */
static int read_names(int layer, const char *path, struct dirent ***names, bool *opaque)
{
    int directory = open_in(layer, path, O_RDONLY | O_DIRECTORY);

    if (directory == -1)
        return -1;
    *opaque = diff_is_opaque(directory);
    int count = entries_read(directory, names);
    int error = errno;
    close(directory);
    errno = error;
    return count;
}

/* PATH and a NAME in it, which is freed. */
static char *join(const char *path, struct dirent *name)
{
    char *joined;

    if (asprintf(&joined, "%s/%s", path, name->d_name) == -1)
        die("diff");
    free(name);
    return joined;
}

/* A directory made again hides all of the one below: its names are deleted, unless made again too.
 */
static int print_hidden(int upper, int below, const char *path)
{
    struct dirent **names = NULL;
    struct stat status;
    bool opaque;
    int count = read_names(below, path, &names, &opaque);

    if (count == -1 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
        return report("read %s/ below", path);
    for (int i = 0; i < count; i++) {
        char *name = join(path, names[i]);
        if (look_at(below, name, &status) && !look_at(upper, name, &status))
            print_line('D', name);
        free(name);
    }
    free(names);
    return 0;
}

static int print_directory(int upper, int below, const char *path, bool opaque);

static int print_entry(int upper, int below, const char *path, bool opaque)
{
    struct stat status, before;

    if (strlen(path) >= PATH_MAX)
        return refuse("%.60s...: directories deeper than a path can name", path);
    if (!look_at(upper, path, &status))
        return report("read %s in the upper layer", path);
    bool existed = look_at(below, path, &before);
    if (is_whiteout(&status)) {
        /* EXERCISE 9.3: what does a whiteout say, if a layer below has the name? */
        if (existed)
            print_line('D', path);
        /* END */
        return 0;
    }
    print_line(existed ? 'C' : 'A', path);
    return S_ISDIR(status.st_mode) ? print_directory(upper, below, path, opaque) : 0;
}

/* OPAQUE: a directory above this one is. What lies below one is not marked again. */
static int print_directory(int upper, int below, const char *path, bool opaque)
{
    struct dirent **names = NULL;
    bool itself = false;
    int error = 0, count = read_names(upper, path, &names, &itself);

    if (count == -1)
        return report("read %s/ in the upper layer", path);
    if (opaque || itself)
        error = print_hidden(upper, below, path);
    for (int i = 0; i < count; i++) {
        char *name = join(path, names[i]);
        if (error == 0)
            error = print_entry(upper, below, name, opaque || itself);
        free(name);
    }
    free(names);
    return error;
}

int diff_print(int upper, int below)
{
    int error = print_directory(upper, below, "", false);

    if (fflush(stdout) != 0 && error == 0)
        error = report("write");
    return error;
}
