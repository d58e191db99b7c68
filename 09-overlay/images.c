#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "image.h"
#include "names.h"
#include "store.h"

/* The size of a layer's tar, as the store has it. */
static unsigned long long layer_size(const char *digest)
{
    char *path = NULL, *text = NULL;
    unsigned long long size = 0;
    size_t length;

    if (asprintf(&path, "%s/size", digest) != -1)
        text = store_read("layers", path, &length);
    if (text != NULL)
        size = strtoull(text, NULL, 10);
    free(path);
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

static int print_image(const char *name, const char *id)
{
    unsigned long long size = 0;
    struct config config;
    int error = name_config(id, &config);

    if (error != 0)
        return error;
    for (size_t i = 0; i < config.layer_count; i++)
        size += layer_size(config.layers[i]);
    printf("%-32s %.12s  %-20.19s %6zu %10.1f MB\n", name, id, plain(config.created),
           config.layer_count, (double)size / 1e6);
    config_free(&config);
    return 0;
}

int image_list(void)
{
    char id[SHA256_HEX + 1];
    char **files = store_open() == NULL ? NULL : store_list("images");
    int damaged = 0;

    if (files == NULL)
        return -EIO;
    printf("%-32s %-12s  %-20s %6s %13s\n", "NAME", "ID", "CREATED", "LAYERS", "SIZE");
    for (char **file = files; *file != NULL; file++) {
        char *name = store_decode(*file);
        if (name != NULL && name_read(*file, id) && print_image(name, id) != 0)
            damaged = -EIO; /* which is no reason not to list the others */
        free(name);
    }
    store_free(files);
    return fflush(stdout) != 0 ? report("write") : damaged;
}

static void print_step(const struct config *config, size_t step, const char *layer)
{
    const struct json *json = &config->json;
    char *created = json_string(json, json_member(json, step, "created"));
    char *made_by = json_string(json, json_member(json, step, "created_by"));

    printf("%-13.12s%-20.19s ", layer ? layer : "-", plain(created));
    if (layer != NULL)
        printf("%8.1f MB  ", (double)layer_size(layer) / 1e6);
    else
        printf("%8s     ", "-");
    printf("%s\n", plain(made_by));
    free(created);
    free(made_by);
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
        bool makes_one = !json_is(json, empty, JSON_TRUE);
        if (makes_one && layers > 0)
            layers--;
        else
            makes_one = false;
        print_step(config, steps[step - 1], makes_one ? config->layers[layers] : NULL);
    }
    for (; layers > 0; layers--) /* an image without a history, or with a part of it */
        printf("%-13.12s%-20s %8.1f MB\n", config->layers[layers - 1], "",
               (double)layer_size(config->layers[layers - 1]) / 1e6);
    free(steps);
}

int image_history(const char *name)
{
    char id[SHA256_HEX + 1];
    struct config config;
    int error = name_find(name, id, NULL);

    if (error == 0)
        error = name_config(id, &config);
    if (error != 0)
        return error;
    print_history(&config);
    config_free(&config);
    return fflush(stdout) != 0 ? report("write") : 0;
}

/* How many names does the image ID have? */
static size_t count_names(const char *id)
{
    char **files = store_list("images"), found[SHA256_HEX + 1];
    size_t count = 0;

    for (char **file = files; file != NULL && *file != NULL; file++)
        count += name_read(*file, found) && strcmp(found, id) == 0;
    store_free(files);
    return count;
}

/* FILE: that of the name in images/; NULL for an image that has none, which is found by its ID. */
static int remove_name(const char *name, const char *id, const char *file)
{
    size_t names = count_names(id);
    int seized = store_seize("configs", id);
    char *decoded = file ? store_decode(file) : strdup(name);
    char *path = store_path("images", file ? file : "", "");
    int error = 0;

    if (seized >= 0) /* nobody can come to hold it: the store is ours */
        close(seized);
    if (names > 1 && strncmp(id, name, strlen(name)) == 0)
        error = refuse("image %s has %zu names: say which one to remove", name, names);
    else if (names <= 1 && seized == -EBUSY)
        error = refuse("image %s: a box runs on it", decoded);
    else if (file != NULL && unlink(path) == -1)
        error = report("remove %s", path);
    else
        error = names_sweep();
    free(decoded);
    free(path);
    return error;
}

int image_remove(const char *name)
{
    char id[SHA256_HEX + 1], *file = NULL;

    if (store_open() == NULL)
        return -EIO;
    int lock = store_lock();
    int error = lock < 0 ? lock : name_find(name, id, &file);
    if (error == 0)
        error = remove_name(name, id, file);
    store_unlock(lock);
    free(file);
    return error;
}
