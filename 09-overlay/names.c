#include "names.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../07-net/claim.h"
#include "store.h"

enum { LONGEST_NAME = 200, SHORTEST_ID = 4 };

static const char slash[] = "%2F"; /* in the name of a file; "%" is in no image's name */

static void encode(const char *name, char file[NAME_MAX + 1])
{
    for (; *name != '\0'; name++)
        if (*name == '/')
            file = stpcpy(file, slash);
        else
            *file++ = *name;
    *file = '\0';
}

static void decode(const char *file, char name[IMAGE_NAME])
{
    while (*file != '\0') {
        bool is_slash = strncmp(file, slash, strlen(slash)) == 0;
        *name++ = is_slash ? '/' : *file;
        file += is_slash ? strlen(slash) : 1;
    }
    *name = '\0';
}

int name_normal(const char *name, char normal[IMAGE_NAME])
{
    static const char *const defaults[] = {"docker.io/library/", "docker.io/"};

    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        if (strncmp(name, defaults[i], strlen(defaults[i])) == 0) {
            name += strlen(defaults[i]);
            break;
        }
    const char *last = strrchr(name, '/'), *base = last ? last + 1 : name;
    bool good = isalnum((unsigned char)base[0]);
    size_t length = 0; /* as encode() will have it */
    for (const char *each = name; *each != '\0'; each++) {
        bool begins_part = each == name || each[-1] == '/';
        length += *each == '/' ? strlen(slash) : 1;
        good = good && (isalnum((unsigned char)*each) ||
                        (!begins_part && strchr("._-/:@+", *each) != NULL));
    }
    if (!good || length > LONGEST_NAME)
        return refuse("'%.100s': is not a name for an image: letters, digits, and . _ - / : only",
                      name);
    snprintf(normal, IMAGE_NAME, "%s%s", name, strchr(base, ':') ? "" : ":latest");
    return 0;
}

/* The ID that FILE of images/ holds; false if it holds none. */
static bool read_id(const char *file, char id[SHA256_HEX + 1])
{
    size_t length;
    char *text = store_read("images", file, &length);
    bool good = text != NULL && sha256_is_hex(text, '\n');

    if (good)
        snprintf(id, SHA256_HEX + 1, "%s", text);
    free(text);
    return good;
}

int names_list(struct image_name **names)
{
    char **files = store_list("images");
    int count = 0, size = 0;

    while (files != NULL && files[size] != NULL)
        size++;
    *names = files != NULL ? calloc((size_t)size + 1, sizeof(**names)) : NULL;
    if (files == NULL)
        return -EIO;
    for (int i = 0; i < size && *names != NULL; i++) {
        struct image_name *name = &(*names)[count];
        if (strlen(files[i]) >= IMAGE_NAME || !read_id(files[i], name->id))
            continue; /* somebody else's file */
        decode(files[i], name->name);
        count++;
    }
    store_free(files);
    return *names != NULL ? count : report("names");
}

int name_give(const char *name, const char *id)
{
    char file[NAME_MAX + 1], line[SHA256_HEX + 2];

    encode(name, file);
    snprintf(line, sizeof(line), "%s\n", id);
    return store_write("images", file, line, strlen(line));
}

int name_remove(const char *name)
{
    char file[NAME_MAX + 1];

    encode(name, file);
    char *path = store_path("images", file, "");
    int error = unlink(path) == -1 ? report("remove %s", path) : 0;
    free(path);
    return error;
}

/* Is it the ID of an image that the store has, with a name or without? */
static bool is_id(const char *text)
{
    char *path = store_path("configs", text, "");
    bool good = sha256_is_hex(text, '\0') && access(path, F_OK) == 0;

    free(path);
    return good;
}

/*
 * Do DIGITS begin the ID of exactly one of the images that have names? FOUND gets the first.
 * Returns 1 if so, 0 if not, or -errno after report().
 */
static int find_by_id(const char *digits, struct image_name *found)
{
    size_t length = strlen(digits);
    struct image_name *names = NULL, *match = NULL;
    bool good = length >= SHORTEST_ID && strspn(digits, "0123456789abcdef") == length;
    int count = good ? names_list(&names) : 0;

    if (count < 0)
        return count;
    for (int i = 0; i < count && good; i++) {
        if (strncmp(names[i].id, digits, length) != 0)
            continue;
        good = match == NULL || strcmp(match->id, names[i].id) == 0;
        match = match != NULL ? match : &names[i];
    }
    good = good && match != NULL;
    if (good)
        *found = *match;
    free(names);
    return good;
}

int name_find(const char *text, struct image_name *found)
{
    char file[NAME_MAX + 1];

    if (store_open() == NULL)
        return -EIO;
    int error = name_normal(text, found->name);
    if (error != 0)
        return error;
    encode(found->name, file);
    /* A name goes before an ID that begins so, but not before a whole one, which the maker of the
     * image could have chosen. */
    if (!is_id(text) && read_id(file, found->id))
        return 0;
    int known = find_by_id(text, found);
    if (known != 0)
        return known < 0 ? known : 0;
    if (!is_id(text)) {
        hint("'full images' lists what there is; 'full load FILE' adds to it");
        return refuse("no image %s in the store", found->name);
    }
    *found = (struct image_name){.name = ""};
    memcpy(found->id, text, SHA256_HEX + 1);
    return 0;
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

/* Unless somebody holds the layer, take it out of the way in one step, and remove it at leisure. */
static int remove_layer(const char *digest)
{
    struct claim claim = CLAIM_NONE;
    int seized = store_seize("layers", digest);
    if (seized < 0)
        return 0;
    char *from = store_path("layers", digest, ""), *to = store_path("tmp", digest, "");
    int error = claim_take(&claim, store_claims(), NULL);

    if (error == 0)
        error = claim_note(&claim, "tree %s", to);
    if (error == 0 && rename(from, to) == -1)
        error = report("remove %s", from);
    int removed = claim_end(&claim);
    close(seized);
    free(from);
    free(to);
    return error != 0 ? error : removed;
}

/* Has the image ID a name, one of NAMED? Or does somebody use it? If not, its configuration goes.
 */
static bool stays(const char *id, const char *named)
{
    if (strstr(named, id) != NULL)
        return true;
    int seized = store_seize("configs", id);
    if (seized < 0)
        return seized == -EBUSY;
    char *path = store_path("configs", id, "");
    if (unlink(path) == -1)
        (void)report("remove %s", path);
    free(path);
    close(seized);
    return false;
}

/*
 * All that is written in the files of KIND, one behind the other, to be freed; of images only in
 * the configurations that stay. NULL after report().
 */
static char *read_all(const char *kind, const char *named)
{
    char **files = store_list(kind), *all = NULL;
    size_t size, length;
    FILE *stream = files != NULL ? open_memstream(&all, &size) : NULL;
    bool good = stream != NULL;

    for (char **file = files; good && *file != NULL; file++) {
        if (named != NULL && !stays(*file, named))
            continue;
        char *text = store_read(kind, *file, &length);
        good = text != NULL && fputs(text, stream) >= 0;
        free(text);
    }
    good = stream != NULL && fclose(stream) == 0 && good;
    if (!good && files != NULL)
        (void)report("read %s in the store", kind);
    store_free(files);
    return good ? all : NULL;
}

/* A digest is in no text by chance: so what no text has in it is needed by nothing. */
int names_sweep(void)
{
    char *named = read_all("images", NULL);
    char *needed = named != NULL ? read_all("configs", named) : NULL;
    char **layers = store_list("layers"), *made = store_path("tmp", "new", "");
    int error = needed == NULL || layers == NULL ? -EIO : 0;

    claim_sweep(store_claims(), true);
    (void)unlink(made); /* by store_write(), if that was killed */
    for (char **each = layers; error == 0 && *each != NULL; each++)
        if (strstr(needed, *each) == NULL || !store_is_whole(*each))
            error = remove_layer(*each);
    store_free(layers);
    free(made);
    free(named);
    free(needed);
    return error;
}
