#include "layers.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../09-overlay/idmapped.h"
#include "../09-overlay/store.h"

int layers_open(struct layers *layers, const char *source)
{
    struct stat status;

    if (strchr(source, '/') != NULL || (stat(source, &status) == 0 && S_ISDIR(status.st_mode))) {
        layers->directory = source;
        errno = stat(source, &status) == -1 ? errno : S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
        return errno == 0 ? 0 : report("root directory %s", source);
    }
    int error = image_open(source, &layers->image);
    if (error == 0)
        image_stack(&layers->image, &layers->stack);
    return error;
}

int layers_make(struct layers *layers, const char *box)
{
    static char upper[PATH_MAX], work[PATH_MAX]; /* as long as the stack, and one a process */

    layers->box = strdup(box);
    snprintf(upper, sizeof(upper), "%s/upper", box);
    snprintf(work, sizeof(work), "%s/work", box);
    if (layers->box == NULL || mkdir(upper, 0755) == -1 || mkdir(work, 0700) == -1)
        return report("make %s", upper);
    layers->stack.upper = upper;
    layers->stack.work = work;
    layers->stack.is_fresh = true;
    return 0;
}

int layers_trees(const struct layers *layers)
{
    return layers->directory == NULL && layers->on_disk ? 2 : 1;
}

static int map(const char *directory, int users, int *trees, int *count)
{
    int tree = overlay_idmap(directory, users);

    if (tree < 0)
        return tree;
    trees[(*count)++] = tree;
    return 0;
}

int layers_map(const struct layers *layers, int users, int *trees, int *count)
{
    char path[PATH_MAX];

    if (layers->directory != NULL)
        return map(layers->directory, users, trees, count);
    snprintf(path, sizeof(path), "%s/layers", store_open());
    int error = map(path, users, trees, count);
    return error == 0 && layers->on_disk ? map(layers->box, users, trees, count) : error;
}

/* Put the TREE in the place of DIRECTORY. */
static void replace(struct layers *layers, int tree, const char *directory, const char *scratch,
                    const char *name)
{
    if (overlay_replace(&layers->stack, directory, tree, scratch, name) != 0)
        exit(EXIT_TOOL);
    close(tree);
}

/* The box's users may not be allowed to go where root on the host went to find the directory. */
static struct root mount_directory(struct layers *layers, const int *trees)
{
    if (trees == NULL)
        return root_prepare(layers->directory);
    const char *place = access(layers->directory, X_OK) == 0
                            ? layers->directory
                            : overlay_scratch(&layers->stack, NULL);
    if (place == NULL)
        exit(EXIT_TOOL);
    return root_adopt(trees[0], layers->directory, place);
}

struct root layers_mount(struct layers *layers, const int *trees)
{
    static char merged[PATH_MAX]; /* named in errors and --explain to the end */
    char path[PATH_MAX];

    if (layers->directory != NULL)
        return mount_directory(layers, trees);
    const char *scratch = overlay_scratch(&layers->stack, NULL);
    if (scratch == NULL || overlay_temporary(&layers->stack, scratch, merged) != 0)
        exit(EXIT_TOOL);
    if (trees != NULL) {
        snprintf(path, sizeof(path), "%s/layers", store_open());
        replace(layers, trees[0], path, scratch, "layers");
        if (layers->on_disk)
            replace(layers, trees[1], layers->box, scratch, "box");
    }
    if (overlay_mount(&layers->stack, merged) != 0)
        exit(EXIT_TOOL);
    return root_at(merged);
}
