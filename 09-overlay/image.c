#include "image.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "diff.h"
#include "import.h"
#include "source.h"
#include "store.h"

/*
 * A name for FILE: its own without directory and endings like ".tar.gz", and behind a colon TAG, if
 * there is one.
 */
static char *name_of_file(const char *file, const char *tag)
{
    static const char *const endings[] = {".gz",  ".zst", ".xz",  ".bz2",
                                          ".tar", ".tgz", ".txz", ".tzst"};
    const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
    int length = (int)strlen(base);
    char *name;

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        int ending = (int)strlen(endings[i]);
        if (length > ending && strncmp(base + length - ending, endings[i], (size_t)ending) == 0)
            length -= ending;
    }
    if (asprintf(&name, "%.*s%s%s", length, base, tag ? ":" : "", tag ? tag : "") == -1)
        return NULL;
    for (char *each = name; each < name + length; each++)
        if (!isalnum((unsigned char)*each) && strchr("._-", *each) == NULL)
            *each = '-';
    if (length > 0 && !isalnum((unsigned char)name[0]))
        name[0] = 'x';
    return name;
}

/* The names that the images are going to have, and their number. */
struct giving {
    struct image_name *names;
    size_t count;
};

static int add_name(struct giving *giving, const char *name, const char *id)
{
    void *more = name == NULL
                     ? NULL
                     : reallocarray(giving->names, giving->count + 1, sizeof(*giving->names));

    if (more == NULL)
        return report("name the image");
    giving->names = more;
    struct image_name *new = &giving->names[giving->count++];
    memcpy(new->id, id, sizeof(new->id));
    return name_normal(name, new->name);
}

/* In an OCI layout the name is often only a tag: then the file's name goes before it. */
static int add_given(struct giving *giving, const struct source *source, const char *name,
                     const char *id)
{
    bool only_tag = name == NULL || (source->is_oci && strpbrk(name, ":/") == NULL);

    if (!only_tag)
        return add_name(giving, name, id);
    char *whole = name_of_file(source->tar.path, name);
    int error = add_name(giving, whole, id);
    free(whole);
    return error;
}

static int choose_names(const struct source *source, const char *name, struct giving *giving)
{
    int error = 0;

    for (size_t i = 0; i < source->count && error == 0; i++) {
        const struct source_image *image = &source->images[i];
        char **each = image->names;
        if (name != NULL) {
            error = add_name(giving, name, image->id);
            continue;
        }
        do {
            error = add_given(giving, source, *each, image->id);
        } while (error == 0 && *each != NULL && *++each != NULL);
    }
    return error;
}

/* All layers of all images in the tar. To be freed, with the labels. */
static struct layer *list_layers(const struct source *source, size_t *count)
{
    struct layer *layers, *next;

    *count = 0;
    for (size_t i = 0; i < source->count; i++)
        *count += source->images[i].config.layer_count;
    next = layers = calloc(*count + 1, sizeof(*layers));
    for (size_t i = 0; i < source->count && layers != NULL; i++) {
        const struct source_image *image = &source->images[i];
        for (size_t j = 0; j < image->config.layer_count; j++) {
            const struct source_layer *layer = &image->layers[j];
            char *label = NULL;
            if (asprintf(&label, "layer %zu of %zu", j + 1, image->config.layer_count) == -1)
                label = NULL;
            *next++ = (struct layer){.file = source->tar.file,
                                     .offset = layer->file->offset,
                                     .size = layer->file->size,
                                     .label = label ? label : "layer",
                                     .digest = "",
                                     .hold = -1,
                                     .tar_digest = image->config.layers[j]};
        }
    }
    return layers;
}

static int sweep(void)
{
    int lock = store_lock();
    int error = lock < 0 ? lock : names_sweep();

    store_unlock(lock);
    return error;
}

/* The layers are whole: now the image becomes visible, in an order that never shows half of one. */
static int keep(const struct source *source, struct import *import, const struct giving *giving)
{
    int lock = store_lock();
    int error = lock < 0 ? lock : import_keep(import);

    for (size_t i = 0; i < source->count && error == 0; i++) {
        const struct source_image *image = &source->images[i];
        error = store_write("configs", image->id, image->config.text, image->config.length);
    }
    for (size_t i = 0; i < giving->count && error == 0; i++)
        error = name_give(giving->names[i].name, giving->names[i].id);
    store_unlock(lock);
    return error;
}

int image_load(const char *file, const char *name, char id[SHA256_HEX + 1], bool show)
{
    struct giving giving = {.count = 0};
    struct import import = {.count = 0};
    struct source source;

    if (store_open() == NULL)
        return -EIO;
    int error = source_open(&source, file);
    if (error != 0)
        return error;
    if (name != NULL && source.count > 1)
        error = refuse("%s: %zu images are in it, and there is one name", file, source.count);
    if (error == 0) /* before anything is unpacked */
        error = choose_names(&source, name, &giving);
    import.layers = list_layers(&source, &import.count);
    if (error == 0)
        error = import.layers == NULL ? report("%s", file) : sweep();
    if (error == 0) {
        error = import_unpack(&import);
        if (error == 0)
            error = keep(&source, &import, &giving);
        import_end(&import);
        if (error != 0)
            (void)sweep();
    }
    for (size_t i = 0; i < giving.count && error == 0; i++) {
        memcpy(id, giving.names[i].id, SHA256_HEX + 1);
        if (show)
            printf("%s  %.12s\n", giving.names[i].name, id);
    }
    for (size_t i = 0; import.layers != NULL && i < import.count; i++)
        free((char *)import.layers[i].label);
    free(import.layers);
    free(giving.names);
    source_close(&source);
    return error;
}

int image_open(const char *name, struct image *image)
{
    struct image_name found = {.name = ""};
    int error, tries = 3; /* another image may get the name while we look */

    *image = (struct image){.hold = -ENOENT};
    do {
        error = name_find(name, &found);
        image->hold = error != 0 ? error : store_hold("configs", found.id);
    } while (image->hold == -ENOENT && --tries > 0);
    if (error == 0 && image->hold == -ENOENT)
        error = refuse("image %s: its configuration is missing in the store", name);
    else if (error == 0 && image->hold < 0)
        error = image->hold;
    if (error == 0)
        error = name_config(found.id, &image->config);
    for (size_t i = 0; i < image->config.layer_count && error == 0; i++)
        if (!store_is_whole(image->config.layers[i]))
            error = refuse("image %s: its layer %.12s is missing in the store", name,
                           image->config.layers[i]);
    memcpy(image->id, found.id, sizeof(image->id));
    memcpy(image->name, found.name, sizeof(image->name));
    if (error != 0)
        image_close(image);
    return error;
}

void image_close(struct image *image)
{
    if (image->hold >= 0)
        close(image->hold);
    config_free(&image->config);
    image->hold = -1;
}

/* Does the layer in DIRECTORY hide all below it? Overlay asks that of each directory but the top.
 */
static bool hides_all(const char *directory)
{
    int top = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool hides = top != -1 && diff_is_opaque(top);

    if (top != -1)
        close(top);
    return hides;
}

/* Topmost first. Of a layer that is there twice the upper one counts. */
void image_stack(const struct image *image, struct stack *stack)
{
    const struct config *config = &image->config;
    bool hidden = false;

    for (size_t i = config->layer_count; i > 0 && !hidden; i--) {
        const char *path = store_path("layers", config->layers[i - 1], "diff");
        bool repeated = false;
        for (size_t j = 0; j < stack->count && !repeated; j++)
            repeated = strcmp(stack->lowers[j], path) == 0;
        if (repeated)
            continue;
        stack_add(stack, path);
        hidden = hides_all(path);
    }
}

char **image_command(const struct image *image, char **command)
{
    char **entrypoint = image->config.entrypoint;
    size_t before = 0, after = 0, count = 0;

    if (command == NULL || command[0] == NULL)
        command = image->config.command;
    while (entrypoint[before] != NULL)
        before++;
    while (command[after] != NULL)
        after++;
    char **whole = calloc(before + after + 2, sizeof(*whole));
    if (whole == NULL)
        return NULL;
    for (size_t i = 0; i < before; i++)
        whole[count++] = entrypoint[i];
    for (size_t i = 0; i < after; i++)
        whole[count++] = command[i];
    if (count == 0)
        whole[0] = (char *)"/bin/sh";
    return whole;
}
