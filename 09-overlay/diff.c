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

/* The directory PATH of a layer, never through a link: strangers chose the names. -1 if there is
 * none. */
static int open_directory(int layer, const char *path)
{
    int directory = layer == -1 ? -1
                                : open_inside(layer, path[0] ? path : ".", O_RDONLY | O_DIRECTORY,
                                              RESOLVE_NO_SYMLINKS);

    if (directory == -1 && layer != -1 && errno != ENOTDIR && errno != ELOOP && errno != ENOENT)
        die("read %.60s", path);
    return directory;
}

static void print_directory(int upper, int below, const char *path, bool opaque);

/* NAME in PATH, and what is in it. */
static void print_name(int upper, int below, const char *path, const char *name, char kind,
                       bool opaque)
{
    char *joined;

    if (asprintf(&joined, "%s/%s", path, name) == -1)
        die("diff");
    print_line(kind, joined);
    if (kind != 'D')
        print_directory(upper, below, joined, opaque);
    free(joined);
}

/*
 * OPAQUE: a directory above this one is. What lies below one is not marked again. A directory made
 * again hides the one below: its names are deleted, unless made again too. Only this one is open,
 * and closed before those in it, however deep they lie.
 */
static void print_directory(int upper, int below, const char *path, bool opaque)
{
    struct dirent **names = NULL, **hidden = NULL;
    int top = open_directory(upper, path), covered = open_directory(below, path);

    if (top == -1) {
        close(covered);
        return;
    }
    opaque = opaque || diff_is_opaque(top);
    int hidden_count = opaque && covered != -1 ? diff_names(covered, &hidden) : 0;
    int count = diff_names(top, &names);
    if (hidden_count < 0 || count < 0)
        die("read %.60s", path);
    for (int i = 0; i < hidden_count; i++) /* the kind, instead of its type */
        hidden[i]->d_type = has(top, hidden[i]->d_name) ? NOTHING : 'D';
    for (int i = 0; i < count; i++)
        names[i]->d_type = (unsigned char)kind_of(top, covered, names[i]->d_name);
    close(top);
    close(covered);
    for (int i = 0; i < hidden_count; free(hidden[i++]))
        if (hidden[i]->d_type != NOTHING)
            print_name(upper, below, path, hidden[i]->d_name, 'D', opaque);
    for (int i = 0; i < count; free(names[i++]))
        if (names[i]->d_type != NOTHING)
            print_name(upper, below, path, names[i]->d_name, (char)names[i]->d_type, opaque);
    free(hidden);
    free(names);
}

void diff_print(int upper, int below)
{
    print_directory(upper, below, "", false);
    if (fflush(stdout) != 0)
        die("write");
}
