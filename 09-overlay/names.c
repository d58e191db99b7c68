#include "names.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../07-net/remove.h"
#include "store.h"

enum { LONGEST_NAME = 200, SHORTEST_ID = 4 };

char *name_normal(const char *name)
{
    static const char *const defaults[] = {"docker.io/library/", "docker.io/"};
    char *normal = NULL;

    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        if (strncmp(name, defaults[i], strlen(defaults[i])) == 0) {
            name += strlen(defaults[i]);
            break;
        }
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    bool good = isalnum((unsigned char)base[0]);
    size_t length = 0; /* as store_encode() will have it */
    for (const char *each = name; *each != '\0'; each++) {
        bool begins_part = each == name || each[-1] == '/';
        length += *each == '/' ? 3 : 1;
        good = good && (isalnum((unsigned char)*each) ||
                        (!begins_part && strchr("._-/:@+", *each) != NULL));
    }
    if (!good || length > LONGEST_NAME) {
        (void)refuse("'%.100s': is not a name for an image: letters, digits, and . _ - / : only",
                     name);
        return NULL;
    }
    if (asprintf(&normal, "%s%s", name, strchr(base, ':') ? "" : ":latest") == -1)
        (void)report("%s", name);
    return normal;
}

bool name_read(const char *file, char id[SHA256_HEX + 1])
{
    size_t length;
    char *text = store_read("images", file, &length);
    bool good = text != NULL && sha256_is_hex(text, '\n');

    if (good)
        snprintf(id, SHA256_HEX + 1, "%s", text);
    free(text);
    return good;
}

int name_give(const char *name, const char *id)
{
    char *normal = name_normal(name), *file = normal ? store_encode(normal) : NULL;
    char line[SHA256_HEX + 2];
    int error = -EINVAL;

    snprintf(line, sizeof(line), "%s\n", id);
    if (file != NULL)
        error = store_write("images", file, line, strlen(line));
    free(normal);
    free(file);
    return error;
}

/* Is it the ID of an image that the store has, with a name or without? */
static bool is_id(const char *name)
{
    char *path = store_path("configs", name, "");
    bool good = sha256_is_hex(name, '\0') && access(path, F_OK) == 0;

    free(path);
    return good;
}

/*
 * Does NAME begin the ID of exactly one of the images that have names? The file of one of those, to
 * be freed, or NULL.
 */
static char *find_by_id(const char *name, char id[SHA256_HEX + 1])
{
    size_t length = strlen(name);
    char found[SHA256_HEX + 1], *file = NULL;

    if (length < SHORTEST_ID || strspn(name, "0123456789abcdef") != length)
        return NULL;
    char **files = store_list("images");
    for (char **each = files; each != NULL && *each != NULL; each++) {
        if (!name_read(*each, found) || strncmp(found, name, length) != 0)
            continue;
        if (file != NULL && strcmp(found, id) != 0) { /* two different ones */
            free(file);
            file = NULL;
            break;
        }
        if (file == NULL)
            file = strdup(*each);
        memcpy(id, found, sizeof(found));
    }
    store_free(files);
    return file;
}

int name_find(const char *name, char id[SHA256_HEX + 1], char **file)
{
    if (store_open() == NULL)
        return -EIO;
    char *normal = name_normal(name), *found = normal ? store_encode(normal) : NULL;
    int error = found == NULL ? -EINVAL : 0;

    /* A name goes before an ID that begins so, but not before a whole one: who made the image could
     * have chosen it. */
    if (error == 0 && (is_id(name) || !name_read(found, id))) {
        free(found);
        found = find_by_id(name, id);
        if (found == NULL && is_id(name)) {
            memcpy(id, name, SHA256_HEX + 1);
        } else if (found == NULL) {
            hint("'full images' lists what there is; 'full load FILE' adds to it");
            error = refuse("no image %s in the store", normal);
        }
    }
    free(normal);
    if (file != NULL)
        *file = found;
    else
        free(found);
    return error;
}

int name_config(const char *id, struct config *config)
{
    size_t length;
    char *text = store_read("configs", id, &length);

    if (text == NULL)
        return report("the configuration of image %.12s", id);
    int error = config_read(config, text, length, id);
    if (error != 0)
        config_free(config);
    return error;
}

/* Digests, as many as needed, that must stay. */
struct needed {
    char (*digests)[SHA256_HEX + 1];
    size_t count;
};

static int need(struct needed *needed, const char *digest)
{
    void *more = realloc(needed->digests, (needed->count + 1) * sizeof(*needed->digests));
    if (more == NULL)
        return report("sweep");
    needed->digests = more;
    memcpy(needed->digests[needed->count++], digest, SHA256_HEX + 1);
    return 0;
}

static bool is_needed(const struct needed *needed, const char *digest)
{
    for (size_t i = 0; i < needed->count; i++)
        if (strcmp(needed->digests[i], digest) == 0)
            return true;
    return false;
}

/*
 * All that the names in images/ keep alive: configurations and layers. Their digests can't clash. A
 * name whose configuration is damaged keeps nothing: loading the image again mends it.
 */
static int gather(struct needed *needed)
{
    char **files = store_list("images"), id[SHA256_HEX + 1];
    int error = files == NULL ? -EIO : 0;

    for (char **file = files; file != NULL && *file != NULL && error == 0; file++) {
        struct config config;
        if (!name_read(*file, id))
            continue;
        if (name_config(id, &config) != 0)
            continue;
        error = need(needed, id);
        for (size_t i = 0; i < config.layer_count && error == 0; i++)
            error = need(needed, config.layers[i]);
        config_free(&config);
    }
    store_free(files);
    return error;
}

/* Unless somebody holds the layer, take it out of the way in one step, and remove it at leisure. */
static int remove_layer(const char *digest)
{
    int seized = store_seize("layers", digest);
    if (seized < 0)
        return 0;
    char *from = store_path("layers", digest, ""), *to = store_path("tmp", digest, "");
    int error = rename(from, to) == -1 ? report("remove %s", from) : remove_tree(to);

    close(seized);
    free(from);
    free(to);
    return error;
}

static int remove_config(const char *id)
{
    int seized = store_seize("configs", id);
    if (seized < 0)
        return 0;
    char *path = store_path("configs", id, "");
    int error = unlink(path) == -1 ? report("remove %s", path) : 0;

    close(seized);
    free(path);
    return error;
}

/* What was being made by a process that has died. Files have no holder: they are made locked. */
static int sweep_temporary(const char *name)
{
    char *path = store_path("tmp", name, "");
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), error = 0;

    if (directory == -1 && errno == ENOTDIR)
        error = unlink(path) == -1 ? report("remove %s", path) : 0;
    else if (directory == -1 && errno == EACCES) /* an ordinary user's layer, half removed */
        error = remove_tree(path);
    else if (directory != -1 && flock(directory, LOCK_EX | LOCK_NB) == 0)
        error = remove_tree(path);
    if (directory != -1)
        close(directory);
    free(path);
    return error;
}

int names_sweep(void)
{
    struct needed needed = {.count = 0};
    int error = gather(&needed);
    char **temporary = store_list("tmp"), **layers = store_list("layers");
    char **configs = store_list("configs");

    for (char **each = temporary; each != NULL && *each != NULL && error == 0; each++)
        error = sweep_temporary(*each);
    for (char **each = layers; each != NULL && *each != NULL && error == 0; each++)
        if (!is_needed(&needed, *each) || !store_is_whole(*each))
            error = remove_layer(*each);
    for (char **each = configs; each != NULL && *each != NULL && error == 0; each++)
        if (!is_needed(&needed, *each))
            error = remove_config(*each);
    store_free(temporary);
    store_free(layers);
    store_free(configs);
    free(needed.digests);
    return error;
}
