#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "image.h"
#include "store.h"

/* The size of a layer's tar, as the store has it. */
static unsigned long long layer_size(const char *digest)
{
    char name[SHA256_HEX + 8];
    size_t length;

    snprintf(name, sizeof(name), "%s/size", digest);
    char *text = store_read("layers", name, &length);
    unsigned long long size = text != NULL ? strtoull(text, NULL, 10) : 0;
    free(text);
    return size;
}

/* A text from an image, for a terminal; it may not be there. */
static const char *plain(char *text)
{
    if (text == NULL)
        return "";
    tool_disarm(text, ' ');
    return text;
}

static int print_image(const struct image_name *image)
{
    unsigned long long size = 0;
    struct config config;
    int error = name_config(image->id, &config);

    if (error != 0)
        return error;
    for (size_t i = 0; i < config.layer_count; i++)
        size += layer_size(config.layers[i]);
    printf("%-32s %.12s  %-20.19s %6zu %10.1f MB\n", image->name, image->id, plain(config.created),
           config.layer_count, (double)size / 1e6);
    config_free(&config);
    return 0;
}

int image_list(void)
{
    struct image_name *names = NULL;
    int count = store_open() == NULL ? -EIO : names_list(&names), damaged = 0;

    if (count < 0)
        return count;
    printf("%-32s %-12s  %-20s %6s %13s\n", "NAME", "ID", "CREATED", "LAYERS", "SIZE");
    for (int i = 0; i < count; i++)
        if (print_image(&names[i]) != 0)
            damaged = -EIO; /* the others are listed all the same */
    free(names);
    return fflush(stdout) != 0 ? report("write") : damaged;
}

/* STEP may be JSON_NONE: nothing is known of how the layer was made. */
static void print_step(const struct config *config, size_t step, const char *layer)
{
    const struct json *json = &config->json;
    char *created = json_text(json, json_member(json, step, "created"));
    char *made_by = json_text(json, json_member(json, step, "created_by"));

    printf("%-13.12s%-20.19s ", layer ? layer : "-", plain(created));
    if (layer != NULL)
        printf("%8.1f MB  ", (double)layer_size(layer) / 1e6);
    else
        printf("%8s     ", "-");
    printf("%s\n", plain(made_by));
}

/* Each step made a layer, but for those marked "empty_layer": they changed the configuration only.
 */
static void print_history(const struct config *config)
{
    const struct json *json = &config->json;
    size_t history = json_member(json, 0, "history"), count = json_length(json, history);
    size_t *steps = calloc(count + 1, sizeof(*steps)), layers = config->layer_count, step = 0;

    printf("%-13s%-20s %11s  %s\n", "LAYER", "CREATED", "SIZE", "MADE BY");
    if (steps == NULL)
        return;
    for (size_t i = json_first(json, history); i != JSON_NONE; i = json_next(json, history, i))
        steps[step++] = i;
    for (; step > 0; step--) {
        size_t empty = json_member(json, steps[step - 1], "empty_layer");
        bool makes_one = layers > 0 && !json_is(json, empty, JSON_TRUE);
        print_step(config, steps[step - 1], makes_one ? config->layers[--layers] : NULL);
    }
    while (layers > 0) /* an image without a history, or with a part of it */
        print_step(config, JSON_NONE, config->layers[--layers]);
    free(steps);
}

int image_history(const char *name)
{
    struct image_name found;
    struct config config;
    int error = name_find(name, &found);

    if (error == 0)
        error = name_config(found.id, &config);
    if (error != 0)
        return error;
    print_history(&config);
    config_free(&config);
    return fflush(stdout) != 0 ? report("write") : 0;
}

/* How many names does the image ID have? */
static int count_names(const char *id)
{
    struct image_name *names = NULL;
    int all = names_list(&names), count = 0;

    for (int i = 0; i < all; i++)
        count += strcmp(names[i].id, id) == 0;
    free(names);
    return count;
}

/* Holding the store, so that nobody can come to hold the image meanwhile. */
static int remove_image(const char *text, const struct image_name *image)
{
    int names = count_names(image->id), seized = store_seize("configs", image->id), error = 0;

    if (seized >= 0)
        close(seized);
    if (names > 1 && strncmp(image->id, text, strlen(text)) == 0)
        return refuse("image %s has %d names: say which one to remove", text, names);
    if (names <= 1 && seized == -EBUSY)
        return refuse("image %s: a box runs on it", image->name[0] ? image->name : text);
    if (image->name[0] != '\0')
        error = name_remove(image->name);
    return error == 0 ? names_sweep() : error;
}

int image_remove(const char *text)
{
    struct image_name image;

    if (store_open() == NULL)
        return -EIO;
    int lock = store_lock();
    int error = lock < 0 ? lock : name_find(text, &image);
    if (error == 0)
        error = remove_image(text, &image);
    store_unlock(lock);
    return error;
}
