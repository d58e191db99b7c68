#include "whiteout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "diff.h"
#include "entries.h"
#include "overlay.h"

static const char mark[] = ".wh.";
static const char opaque_mark[] = ".wh..wh..opq";
static const char aufs_mark[] = ".wh..wh."; /* aufs's own affairs, which mean nothing here */

static bool begins_with(const char *name, const char *start)
{
    return strncmp(name, start, strlen(start)) == 0;
}

/*
 * Overlay in a user namespace looks for "user.*", elsewhere for "trusted.*", which only the host's
 * root may set. The same layer may serve both kinds of box, so it gets both where that is possible.
 */
static int mark_opaque(int directory)
{
    bool user = fsetxattr(directory, "user.overlay.opaque", "y", 1, 0) == 0;

    if (fsetxattr(directory, "trusted.overlay.opaque", "y", 1, 0) == 0)
        return 0;
    return user && errno == EPERM ? 0 : report("mark a directory as opaque");
}

/* ".wh.NAME" in DIRECTORY. If the layer has a NAME itself, it is new, and hides what is below. */
static int convert(int directory, const char *name)
{
    const char *deleted = name + strlen(mark);
    struct stat status;

    if (unlinkat(directory, name, 0) == -1)
        return report("whiteout %s", name);
    if (strcmp(name, opaque_mark) == 0)
        return mark_opaque(directory);
    if (begins_with(name, aufs_mark))
        return 0;
    if (deleted[0] == '\0' || strcmp(deleted, ".") == 0 || strcmp(deleted, "..") == 0)
        return refuse("whiteout %s: deletes nothing that could be there", name);
    if (fstatat(directory, deleted, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        int made_anew = openat(directory, deleted, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (made_anew == -1) /* not a directory: it hides anyway */
            return 0;
        int error = mark_opaque(made_anew);
        close(made_anew);
        return error;
    }
    /* EXERCISE 9.4: an image says ".wh.NAME"; let overlay see NAME deleted. mknod(2) */
    if (mknodat(directory, deleted, S_IFCHR, makedev(0, 0)) == -1)
        return report("whiteout %s", name);
    /* END */
    return 0;
}

static int convert_below(int directory);

static int convert_entry(int directory, const struct dirent *entry)
{
    if (begins_with(entry->d_name, mark))
        return convert(directory, entry->d_name);
    if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
        return 0;
    int below = openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below == -1)
        return errno == ENOTDIR || errno == ELOOP ? 0 : report("read %s", entry->d_name);
    return convert_below(below);
}

/* DIRECTORY is closed at the end. Its names are read first, as converting adds and takes away. */
static int convert_below(int directory)
{
    struct dirent **entries;
    struct stat before;
    int error = 0;
    int count = entries_read(directory, &entries);

    if (count == -1 || fstat(directory, &before) == -1) {
        close(directory);
        return report("read a directory of the layer");
    }
    for (int i = 0; i < count; i++) {
        if (error == 0)
            error = convert_entry(directory, entries[i]);
        free(entries[i]);
    }
    free(entries);
    if (error == 0 &&
        futimens(directory, (struct timespec[]){before.st_atim, before.st_mtim}) == -1)
        error = report("set the times of a directory");
    close(directory);
    return error;
}

int whiteouts_from_image(const char *directory)
{
    int top = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return top == -1 ? report("open %s", directory) : convert_below(top);
}

/* A growing list of names, each with its zero byte: what tar takes with --null. */
struct names {
    char *bytes;
    size_t length;
};

static int add_name(struct names *names, const char *path, const char *start, const char *name)
{
    size_t more = strlen(path) + strlen(start) + strlen(name) + 1;
    char *bytes = realloc(names->bytes, names->length + more + 1);

    if (bytes == NULL)
        return report("whiteouts");
    names->bytes = bytes;
    sprintf(bytes + names->length, "%s%s%s", path, start, name);
    names->length += more;
    return 0;
}

/* PATH is empty or ends with a slash. DIRECTORY is closed at the end. */
static int collect_below(int directory, const char *path, struct names *names)
{
    struct dirent **entries;
    int error = diff_is_opaque(directory) ? add_name(names, path, opaque_mark, "") : 0;
    int count = entries_read(directory, &entries);

    if (count == -1) {
        close(directory);
        return report("read %s", path);
    }
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char *longer = NULL;
        int below = -1;
        if (error == 0 && diff_is_whiteout(directory, name))
            error = add_name(names, path, mark, name);
        else if (error == 0)
            below = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below != -1)
            error = asprintf(&longer, "%s%s/", path, name) == -1
                        ? report("whiteouts")
                        : collect_below(below, longer, names);
        free(longer);
        free(entries[i]);
    }
    free(entries);
    close(directory);
    return error;
}

char *whiteouts_for_image(int directory, size_t *length)
{
    struct names names = {.bytes = calloc(1, 1), .length = 0};
    int top = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (names.bytes == NULL || top == -1) {
        (void)report("whiteouts");
        free(names.bytes);
        return NULL;
    }
    if (collect_below(top, "", &names) != 0) {
        free(names.bytes);
        return NULL;
    }
    *length = names.length;
    return names.bytes;
}
