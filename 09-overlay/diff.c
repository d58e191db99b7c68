#define _GNU_SOURCE
#include "diff.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/target.h"

enum { NOTHING = '-' };

bool diff_is_whiteout(int directory, const char *name)
{
    struct stat status;

    return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(status.st_mode) &&
           status.st_rdev == makedev(0, 0);
}

/* Which of the two it is depends on whether the stack was mounted in a user namespace. */
bool diff_is_opaque(int directory)
{
    char value;

    if (fgetxattr(directory, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y')
        return true;
    return fgetxattr(directory, "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

static int is_name(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Not every libc has scandirat(3), and not every box has the /proc that would name DIRECTORY. */
int diff_names(int directory, struct dirent ***entries)
{
    return fchdir(directory) == 0 ? scandir(".", entries, is_name, alphasort) : -1;
}

/* The directory PATH of a layer, never through a link: strangers chose the names. -1 with errno. */
static int open_directory(int layer, const char *path)
{
    return open_inside(layer, path[0] ? path : ".", O_RDONLY | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
}

/* Is NAME in the open DIRECTORY, or nowhere if that is -1? */
static bool has(int directory, const char *name)
{
    return directory != -1 && faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What to say of NAME in the open directory UPPER, if BELOW is what it covers. */
static char kind_of(int upper, int below, const char *name)
{
    /* EXERCISE 9.3: 'A' if the box has added NAME, 'C' if changed, 'D' if deleted; or it has
       deleted what was never below. diff.h */
    bool existed = has(below, name);
    if (!diff_is_whiteout(upper, name))
        return existed ? 'C' : 'A';
    if (existed)
        return 'D';
    /* END */
    return NOTHING;
}

/* A terminal obeys control characters. */
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

/* PATH and a name in it. */
static char *join(const char *path, const struct dirent *name)
{
    char *joined;

    if (asprintf(&joined, "%s/%s", path, name->d_name) == -1)
        die("diff");
    return joined;
}

/* A directory made again hides the one below: its names are deleted, unless made again too. */
static int print_hidden(int upper, int below, const char *path)
{
    struct dirent **names = NULL;
    int count = below == -1 ? 0 : diff_names(below, &names);

    for (int i = 0; i < count; free(names[i++]))
        if (!has(upper, names[i]->d_name)) {
            char *name = join(path, names[i]);
            print_line('D', name);
            free(name);
        }
    free(names);
    return count < 0 ? report("read %.60s below", path) : 0;
}

/*
 * OPAQUE: a directory above this one is. What lies below one is not marked again. Only this one is
 * open, and closed before those in it, however deep they lie.
 */
static int print_directory(int upper, int below, const char *path, bool opaque)
{
    struct dirent **names = NULL;
    int top = open_directory(upper, path);

    if (top == -1)
        return errno == ENOTDIR || errno == ELOOP ? 0
                                                  : report("read %.60s in the upper layer", path);
    int covered = open_directory(below, path);
    opaque = opaque || diff_is_opaque(top);
    int error = opaque ? print_hidden(top, covered, path) : 0, count = diff_names(top, &names);
    if (count < 0)
        error = report("read %.60s in the upper layer", path);
    for (int i = 0; i < count; i++) /* instead of its type */
        names[i]->d_type = (unsigned char)kind_of(top, covered, names[i]->d_name);
    close(top);
    if (covered != -1)
        close(covered);
    for (int i = 0; i < count; free(names[i++])) {
        char *name = join(path, names[i]);
        if (error == 0 && names[i]->d_type != NOTHING) {
            print_line((char)names[i]->d_type, name);
            error = print_directory(upper, below, name, opaque);
        }
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
