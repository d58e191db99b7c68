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

/*
 * The layers below that have a directory of some name, each open at its top, topmost first. What is
 * in it is looked up by its whole path: so no more is open however deep it lies.
 */
struct below {
    int layers[OVERLAY_MOST_LAYERS];
    size_t count;
};

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

/* PATH in a layer, never through a symbolic link: the names in it are not ours. */
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

static int open_directory(int layer, const char *path)
{
    return open_in(layer, path, O_RDONLY | O_DIRECTORY);
}

/*
 * Look PATH up in the layers below as overlay does: the topmost that has it counts; a whiteout ends
 * the search; directories of the same name are merged, down to an opaque one. CHILD gets the layers
 * with those directories.
 */
static bool exists_below(const struct below *below, const char *path, struct below *child)
{
    bool found = false, opaque = false;

    child->count = 0;
    for (size_t i = 0; i < below->count && !opaque; i++) {
        int layer = below->layers[i];
        struct stat status;
        if (!look_at(layer, path, &status))
            continue;
        if (!S_ISDIR(status.st_mode))
            return found || !is_whiteout(&status);
        found = true;
        int directory = open_directory(layer, path);
        if (directory == -1)
            continue;
        child->layers[child->count++] = layer;
        opaque = diff_is_opaque(directory);
        close(directory);
    }
    return found;
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

/* The names in the directory PATH of a layer. Returns as entries_read(), after saying why. */
static int read_names(int layer, const char *path, struct dirent ***names, bool *opaque)
{
    int directory = open_directory(layer, path);
    int count = directory == -1 ? -1 : entries_read(directory, names);

    if (count == -1)
        (void)report("read %s/ in a layer", path);
    else
        *opaque = diff_is_opaque(directory);
    if (directory != -1)
        close(directory);
    return count;
}

static void free_names(struct dirent **names, int count)
{
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

/* PATH and NAME in it, to be freed. */
static char *join(const char *path, const char *name)
{
    char *joined;

    if (asprintf(&joined, "%s/%s", path, name) == -1)
        die("diff");
    return joined;
}

/*
 * All of a directory made anew hides what was below: those names are deleted unless made again. Of
 * the layers that have a name, if only as a whiteout, the topmost alone counts.
 */
static int print_hidden(int upper, const struct below *below, const char *path)
{
    for (size_t i = 0; i < below->count; i++) {
        struct dirent **names;
        bool opaque;
        int count = read_names(below->layers[i], path, &names, &opaque);
        if (count == -1)
            return -EIO;
        for (int j = 0; j < count; j++) {
            char *name = join(path, names[j]->d_name);
            struct stat status;
            bool counts = look_at(below->layers[i], name, &status) && !is_whiteout(&status);
            for (size_t above = 0; above < i && counts; above++)
                counts = !look_at(below->layers[above], name, &status);
            if (counts && !look_at(upper, name, &status))
                print_line('D', name);
            free(name);
        }
        free_names(names, count);
    }
    return 0;
}

static int print_directory(int upper, const struct below *below, const char *path, bool opaque);

static int print_entry(int upper, const struct below *below, const char *path, bool opaque)
{
    struct below *child;
    struct stat status;
    int error = 0;

    if (strlen(path) >= PATH_MAX)
        return refuse("%.60s...: directories deeper than a path can name", path);
    if (!look_at(upper, path, &status))
        return report("read %s in the upper layer", path);
    if ((child = malloc(sizeof(*child))) == NULL)
        return report("diff");
    bool existed = exists_below(below, path, child);
    if (is_whiteout(&status)) {
        /* EXERCISE 9.3: what does a whiteout say, if a layer below has the name? */
        if (existed)
            print_line('D', path);
        /* END */
    } else {
        print_line(existed ? 'C' : 'A', path);
        if (S_ISDIR(status.st_mode))
            error = print_directory(upper, child, path, opaque);
    }
    free(child);
    return error;
}

/* OPAQUE: a directory above this one is. What lies below one is not marked again. */
static int print_directory(int upper, const struct below *below, const char *path, bool opaque)
{
    struct dirent **names;
    bool itself;
    int count = read_names(upper, path, &names, &itself);

    if (count == -1)
        return -EIO;
    opaque = opaque || itself;
    int error = opaque ? print_hidden(upper, below, path) : 0;
    for (int i = 0; i < count && error == 0; i++) {
        char *longer = join(path, names[i]->d_name);
        error = print_entry(upper, below, longer, opaque);
        free(longer);
    }
    free_names(names, count);
    return error;
}

int diff_print(int upper, const struct stack *stack)
{
    struct below *below = malloc(sizeof(*below));
    int error = 0;

    if (below == NULL)
        return report("diff");
    below->count = 0;
    for (size_t i = 0; i < stack->count && error == 0; i++) {
        int lower = open(stack->lowers[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (lower == -1)
            error = report("lower %s", stack->lowers[i]);
        else
            below->layers[below->count++] = lower;
    }
    if (error == 0)
        error = print_directory(upper, below, "", false);
    for (size_t i = 0; i < below->count; i++)
        close(below->layers[i]);
    free(below);
    if (fflush(stdout) != 0 && error == 0)
        error = report("write");
    return error;
}
