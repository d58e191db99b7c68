#include "layers.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/inside.h"
#include "../07-net/remove.h"
#include "../09-overlay/descriptor.h"
#include "../09-overlay/idmapped.h"
#include "../09-overlay/store.h"

static void read_boot(char *boot, size_t size)
{
    first_line("/proc/sys/kernel/random/boot_id", boot, size);
}

/* Remove what boxes of before the last boot have written: nothing else is left of them. */
static void clear_old(const char *boxes)
{
    char path[PATH_MAX + NAME_MAX + 8], boot[64], then[64];
    struct dirent *entry;
    DIR *directory = opendir(boxes);

    read_boot(boot, sizeof(boot));
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        snprintf(path, sizeof(path), "%s/%s/boot", boxes, entry->d_name);
        first_line(path, then, sizeof(then));
        if (entry->d_name[0] == '.' || strcmp(boot, then) == 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", boxes, entry->d_name);
        (void)remove_tree(path);
    }
    if (directory != NULL)
        closedir(directory);
}

static int note_boot(const char *directory)
{
    char path[PATH_MAX + 8], boot[64];

    snprintf(path, sizeof(path), "%s/boot", directory);
    read_boot(boot, sizeof(boot));
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return report("write %s", path);
    int written = fprintf(file, "%s\n", boot);
    if (fclose(file) != 0 || written < 0)
        return report("write %s", path);
    return 0;
}

int layers_open(struct layers *layers, const char *source)
{
    struct stat status;

    if (strchr(source, '/') != NULL || (stat(source, &status) == 0 && S_ISDIR(status.st_mode))) {
        layers->directory = source;
        if (stat(source, &status) == -1)
            return report("root directory %s", source);
        if (!S_ISDIR(status.st_mode)) {
            errno = ENOTDIR;
            return report("root directory %s", source);
        }
        return 0;
    }
    int error = image_open(source, &layers->image);
    if (error != 0)
        return error;
    image_stack(&layers->image, &layers->stack);
    return 0;
}

int layers_name(struct layers *layers, const char *name)
{
    int length = snprintf(layers->upper, sizeof(layers->upper), "%s/boxes/%s", store_open(), name);

    return length < (int)sizeof(layers->upper) ? 0 : refuse("%s: the name is too long", name);
}

/* What layers_keep() makes while it holds the store, so that clear_old() sees all or nothing. */
static int make_box(const char *box)
{
    char boxes[PATH_MAX];

    snprintf(boxes, sizeof(boxes), "%.*s", (int)(strrchr(box, '/') - box), box);
    if (mkdir(boxes, 0700) == -1 && errno != EEXIST)
        return report("make %s", boxes);
    clear_old(boxes);
    if (remove_tree(box) < 0) /* of a run that was killed on its way */
        return -1;
    if (mkdir(box, 0700) == -1)
        return report("make %s", box);
    return note_boot(box);
}

int layers_keep(struct layers *layers)
{
    static char upper[PATH_MAX], work[PATH_MAX]; /* as long as the stack, and one a process */
    int lock = store_lock();
    int error = lock < 0 ? lock : make_box(layers->upper);

    store_unlock(lock);
    if (error != 0)
        return error;
    snprintf(upper, sizeof(upper), "%s/upper", layers->upper);
    snprintf(work, sizeof(work), "%s/work", layers->upper);
    if (mkdir(upper, 0755) == -1 || mkdir(work, 0700) == -1)
        return report("make %s", upper);
    layers->stack.upper = upper;
    layers->stack.work = work;
    layers->stack.is_fresh = true;
    return 0;
}

static int send_mapped(const char *directory, const struct child *child, int users)
{
    int tree = overlay_idmap(directory, users);
    if (tree < 0)
        return tree;
    int error = descriptor_send(child->sync, tree);
    close(tree);
    return error;
}

int layers_send(const struct layers *layers, const struct child *child, int users)
{
    char path[PATH_MAX];

    if (layers->directory != NULL)
        return send_mapped(layers->directory, child, users);
    snprintf(path, sizeof(path), "%s/layers", store_open());
    int error = send_mapped(path, child, users);
    if (error == 0 && layers->upper[0] != '\0')
        error = send_mapped(layers->upper, child, users);
    return error;
}

/* Put the tree that the host sends in the place of DIRECTORY. */
static void replace(struct layers *layers, const struct child *child, const char *directory,
                    const char *scratch, const char *name)
{
    int tree = descriptor_receive(child->sync);

    if (tree < 0 || overlay_replace(&layers->stack, directory, tree, scratch, name) != 0)
        exit(EXIT_TOOL);
    close(tree);
}

struct root layers_mount(struct layers *layers, const struct child *child, bool mapped)
{
    static char merged[PATH_MAX]; /* named in errors and --explain to the end */
    char path[PATH_MAX];

    if (layers->directory != NULL && mapped) {
        int tree = descriptor_receive(child->sync);
        if (tree < 0)
            exit(EXIT_TOOL);
        /* The box's users may not be allowed to go where root on the host went to find it. */
        const char *place = access(layers->directory, X_OK) == 0
                                ? layers->directory
                                : overlay_scratch(&layers->stack, NULL);
        if (place == NULL)
            exit(EXIT_TOOL);
        return root_adopt(tree, layers->directory, place);
    }
    if (layers->directory != NULL)
        return root_prepare(layers->directory);

    const char *scratch = overlay_scratch(&layers->stack, NULL);
    if (scratch == NULL || overlay_temporary(&layers->stack, scratch, merged) != 0)
        exit(EXIT_TOOL);
    if (mapped) {
        snprintf(path, sizeof(path), "%s/layers", store_open());
        replace(layers, child, path, scratch, "layers");
        if (layers->upper[0] != '\0')
            replace(layers, child, layers->upper, scratch, "box");
    }
    if (overlay_mount(&layers->stack, merged) != 0)
        exit(EXIT_TOOL);
    return root_at(merged);
}
