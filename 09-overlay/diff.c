#include "diff.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "entries.h"

/* One directory as it is in the layers below: those of them that have it, topmost first. */
struct below {
    int directories[OVERLAY_MOST_LAYERS];
    size_t count;
};

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

/* Open a directory to read it, never through a symbolic link: the names in it are not ours. */
static int open_below(int directory, const char *name)
{
    return openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void close_below(struct below *below)
{
    for (size_t i = 0; i < below->count; i++)
        close(below->directories[i]);
    below->count = 0;
}

/*
 * Look NAME up in the layers below as overlay does: the topmost that has it counts; a whiteout ends
 * the search; directories of the same name are merged, down to an opaque one. CHILD gets those
 * directories, which the caller closes.
 */
static bool exists_below(const struct below *below, const char *name, struct below *child)
{
    bool found = false;

    child->count = 0;
    for (size_t i = 0; i < below->count; i++) {
        int layer = below->directories[i];
        struct stat status;
        if (fstatat(layer, name, &status, AT_SYMLINK_NOFOLLOW) == -1)
            continue;
        if (!S_ISDIR(status.st_mode))
            return found || !diff_is_whiteout(layer, name);
        found = true;
        int directory = open_below(layer, name);
        if (directory == -1)
            continue;
        child->directories[child->count++] = directory;
        if (diff_is_opaque(directory))
            break;
    }
    return found;
}

static void print_line(char kind, const char *above, const char *name)
{
    printf("%c ", kind);
    for (int part = 0; part < 3; part++) {
        const char *text = part == 0 ? above : part == 1 ? "/" : name;
        for (size_t control = 0; *text != '\0'; text++) {
            if (control == 0)
                control = tool_control(text);
            if (control == 0) {
                putchar(*text);
            } else {
                printf("\\%03o", (unsigned char)*text);
                control--;
            }
        }
    }
    putchar('\n');
}

static void free_names(struct dirent **names, int count)
{
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

static bool has(int directory, const char *name)
{
    struct stat status;
    return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * All of a directory made anew hides what was below: those names are deleted unless made again. Of
 * the layers that have a name, if only as a whiteout, the topmost alone counts.
 */
static int print_hidden(int upper, const struct below *below, const char *path)
{
    for (size_t i = 0; i < below->count; i++) {
        struct dirent **names;
        int count = entries_read(below->directories[i], &names);
        if (count == -1)
            return report("read %s in a lower layer", path);
        for (int j = 0; j < count; j++) {
            const char *name = names[j]->d_name;
            bool counts = !diff_is_whiteout(below->directories[i], name);
            for (size_t above = 0; above < i && counts; above++)
                counts = !has(below->directories[above], name);
            if (counts && !has(upper, name))
                print_line('D', path, name);
        }
        free_names(names, count);
    }
    return 0;
}

static int print_directory(int upper, const struct below *below, const char *path, bool opaque);

static int print_entry(int upper, const struct below *below, const char *path, const char *name,
                       bool opaque)
{
    struct below *child = malloc(sizeof(*child));
    int error = 0;

    if (child == NULL)
        return report("diff");
    bool existed = exists_below(below, name, child);
    if (diff_is_whiteout(upper, name)) {
        /* EXERCISE 9.3: what does a whiteout say, if a layer below has the name? */
        if (existed)
            print_line('D', path, name);
        /* END */
    } else {
        print_line(existed ? 'C' : 'A', path, name);
        int directory = open_below(upper, name);
        if (directory != -1) {
            char *longer = NULL;
            if (asprintf(&longer, "%s/%s", path, name) == -1)
                error = report("diff");
            else
                error =
                    print_directory(directory, child, longer, opaque || diff_is_opaque(directory));
            free(longer);
            close(directory);
        } else if (errno != ENOTDIR && errno != ELOOP) {
            error = report("read %s/%s in the upper layer", path, name);
        }
    }
    close_below(child);
    free(child);
    return error;
}

/* OPAQUE: this directory or one above it is. What lies below one is not marked again. */
static int print_directory(int upper, const struct below *below, const char *path, bool opaque)
{
    struct dirent **names;
    int error = opaque ? print_hidden(upper, below, path) : 0;

    if (strlen(path) >= PATH_MAX) /* each level takes descriptors, and lines that grow */
        error = refuse("%.60s...: directories deeper than a path can name", path);
    if (error != 0)
        return error;
    int count = entries_read(upper, &names);
    if (count == -1)
        return report("read %s/ in the upper layer", path);
    for (int i = 0; i < count && error == 0; i++)
        error = print_entry(upper, below, path, names[i]->d_name, opaque);
    free_names(names, count);
    return error;
}

int diff_print(int upper, const struct stack *stack)
{
    struct below *below = malloc(sizeof(*below));
    struct rlimit files;
    int error = 0;

    if (below == NULL)
        return report("diff");
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* a deep directory of many layers needs them */
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    below->count = 0;
    for (size_t i = 0; i < stack->count && error == 0; i++) {
        int lower = open(stack->lowers[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (lower == -1)
            error = report("lower %s", stack->lowers[i]);
        else
            below->directories[below->count++] = lower;
    }
    if (error == 0)
        error = print_directory(upper, below, "", false);
    close_below(below);
    free(below);
    if (fflush(stdout) != 0 && error == 0)
        error = report("write");
    return error;
}
