#define _GNU_SOURCE
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/target.h"
#include "import.h"
#include "store.h"

enum { MAX_JSON = 4 << 20, MAX_IMAGES = 1000 };

/* What the OCI, following Go, calls this machine's architecture. */
#ifdef __aarch64__
static const char architecture[] = "arm64";
#else
static const char architecture[] = "amd64";
#endif

int source_file(const struct source *source, const char *path, const char *kind)
{
    int place = open_inside(source->directory, path, O_PATH, 0), file = -1;
    struct stat status;
    char link[32];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", place);
    if (place != -1 && fstat(place, &status) == 0 && S_ISREG(status.st_mode)) /* and no device */
        file = open(link, O_RDONLY | O_CLOEXEC);
    if (place != -1)
        close(place);
    return file != -1 ? file : refuse("%s: %s%.80s is missing in it", source->path, kind, path);
}

/*
 * The content of the file PATH, with the LENGTH and DIGEST that it has: the one that its name
 * promises, as in HEX.json or blobs/sha256/HEX. To be freed; NULL after report().
 */
static char *read_file(struct source *source, const char *path, size_t *length,
                       char digest[SHA256_HEX + 1])
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    int file = source_file(source, path, "");
    struct stat status;
    char *text = NULL;

    if (file < 0)
        return NULL;
    if (fstat(file, &status) == -1 || (size_t)status.st_size > source->room) {
        (void)refuse("%s: %.80s in it is too large", source->path, path);
    } else {
        *length = (size_t)status.st_size;
        source->room -= *length;
        text = calloc(1, *length + 1);
        if (text == NULL || read(file, text, *length) != status.st_size)
            die("%s: read %s in it", source->path, path);
        sha256_of(text, *length, digest);
    }
    close(file);
    bool promises = sha256_is_hex(name, '\0') || sha256_is_hex(name, '.');
    if (text == NULL || !promises || strncmp(name, digest, SHA256_HEX) == 0)
        return text;
    (void)refuse("%s: %s has the digest %.12s..., and %.12s... was promised", source->path, path,
                 digest, name);
    free(text);
    return NULL;
}

/* The JSON in the file PATH; after json_read() only its strings are needed. */
static int read_json(struct source *source, const char *path, struct json *json)
{
    char digest[SHA256_HEX + 1];
    size_t length, wrong;
    char *text = read_file(source, path, &length, digest);
    bool good = text != NULL && json_read(json, text, length, &wrong);

    free(text);
    if (text == NULL)
        return -EINVAL;
    return good ? 0 : refuse("%s: %s is not JSON from byte %zu on", source->path, path, wrong);
}

/*
 * The path of the file that VALUE speaks of, until the next call: docker gives it, OCI's
 * descriptors the digest that the file is called by, {"digest": "sha256:..."}. NULL if told.
 */
static const char *path_of(const struct source *source, const struct json *json, size_t value)
{
    static char path[sizeof("blobs/sha256/") + SHA256_HEX];
    char *text = json_text(json, source->is_oci ? json_member(json, value, "digest") : value);
    const char *digits = digest_digits(text);

    if (!source->is_oci && text != NULL)
        return text;
    snprintf(path, sizeof(path), "blobs/sha256/%s", digits != NULL ? digits : "");
    if (digits != NULL)
        return path;
    (void)refuse("%s: something in it has no %s", source->path,
                 source->is_oci ? "sha256 digest" : "name of a file");
    return NULL;
}

/*
 * An image: an OCI manifest, or an element of docker's manifest.json. Both say which file is its
 * configuration and which ones are its layers.
 */
static int read_image(struct source *source, const struct json *json, size_t object,
                      struct source_image *image)
{
    size_t config = json_member(json, object, source->is_oci ? "config" : "Config");
    size_t layers = json_member(json, object, source->is_oci ? "layers" : "Layers");
    size_t count = json_length(json, layers), length;
    const char *label = source->path, *path = path_of(source, json, config);
    char *text = path ? read_file(source, path, &length, image->id) : NULL;

    int error = text ? config_read(&image->config, text, length, label) : -EINVAL;
    if (error == 0 && count != image->config.layer_count)
        error = refuse("%s: %zu layers in the manifest, and %zu in the configuration", label, count,
                       image->config.layer_count);
    if (error == 0 && count > OVERLAY_MOST_LAYERS)
        error =
            refuse("%s: %zu layers; overlay stacks at most %d", label, count, OVERLAY_MOST_LAYERS);
    char **layer = image->layers = calloc(count + 1, sizeof(*layer));
    for (size_t i = json_first(json, layers); i != JSON_NONE && error == 0;
         i = json_next(json, layers, i)) {
        path = path_of(source, json, i);
        if (path == NULL)
            error = -EINVAL;
        else if ((*layer++ = strdup(path)) == NULL)
            die("%s", label);
    }
    return error;
}

/* Is the member NAME of PLATFORM what we need? If it says nothing, it may be. */
static bool suits(const struct json *json, size_t platform, const char *name, const char *ours)
{
    size_t member = json_member(json, platform, name);
    const char *text = json_text(json, member);

    return json_is_empty(json, member) || (text != NULL && strcmp(text, ours) == 0);
}

static bool is_for_us(const struct json *json, size_t descriptor)
{
    size_t platform = json_member(json, descriptor, "platform");

    return suits(json, platform, "os", "linux") &&
           suits(json, platform, "architecture", architecture);
}

/*
 * What a descriptor in an index points to: a manifest, or a further index, in which the first one
 * for this machine counts. They can't go in circles: each is called by its digest.
 */
static int read_descriptor(struct source *source, const struct json *json, size_t descriptor,
                           struct source_image *image)
{
    const char *path = path_of(source, json, descriptor);
    struct json found;

    while (path != NULL) {
        int error = read_json(source, path, &found);
        if (error != 0)
            return error;
        size_t list = json_member(&found, 0, "manifests"), each = json_first(&found, list);
        bool is_index = !json_is_empty(&found, list);
        while (each != JSON_NONE && !is_for_us(&found, each))
            each = json_next(&found, list, each);
        if (is_index && each == JSON_NONE)
            error = refuse("%s: no image in it is for linux/%s", source->path, architecture);
        else if (is_index)
            path = path_of(source, &found, each);
        else
            error = read_image(source, &found, 0, image);
        json_close(&found);
        if (error != 0 || !is_index)
            return error;
    }
    return -EINVAL;
}

/* The names that docker's manifest.json has for an image, or the one of a descriptor of OCI's. */
static char **names_of(const struct source *source, size_t each)
{
    size_t notes = json_member(&source->json, each, "annotations");
    char **names;

    if (!source->is_oci)
        return json_list(&source->json, each, "RepoTags");
    names = json_list(&source->json, notes, "io.containerd.image.name");
    if (names == NULL || names[0] != NULL)
        return names;
    free(names);
    return json_list(&source->json, notes, "org.opencontainers.image.ref.name");
}

/*
 * Docker's manifest.json: [{"Config": FILE, "RepoTags": [NAME...], "Layers": [FILE...]}...]
 * OCI's index.json: {"manifests": [{"digest": DIGEST, "platform": {...}, "annotations": {...}}...]}
 */
static int read_images(struct source *source)
{
    const char *path = source->path, *file = source->is_oci ? "index.json" : "manifest.json";
    const struct json *json = &source->json;
    int error = read_json(source, file, &source->json);
    size_t list = source->is_oci ? json_member(json, 0, "manifests") : 0;

    if (json_length(json, list) > MAX_IMAGES)
        return refuse("%s: too many images in it", path);
    source->images = calloc(json_length(json, list) + 1, sizeof(*source->images));
    for (size_t i = json_first(json, list); i != JSON_NONE && error == 0;
         i = json_next(json, list, i)) {
        if (source->is_oci && !is_for_us(json, i))
            continue;
        struct source_image *image = &source->images[source->count++];
        image->names = names_of(source, i);
        if (image->names == NULL)
            error = refuse("%s: the names of an image in %s are not strings", path, file);
        else
            error = source->is_oci ? read_descriptor(source, json, i, image)
                                   : read_image(source, json, i, image);
    }
    if (error == 0 && source->count == 0)
        error = refuse("%s: no image in it is for linux/%s", path, architecture);
    return error;
}

int source_read(struct source *source, const char *path, int directory)
{
    *source = (struct source){.path = path, .directory = directory, .room = MAX_JSON};
    source->is_oci = faccessat(directory, "manifest.json", F_OK, 0) == -1;
    if (source->is_oci && faccessat(directory, "index.json", F_OK, 0) == -1)
        return refuse("%s: not an image: it has neither manifest.json nor index.json", path);
    return read_images(source);
}

/* Only what is in a file can be looked at and then read from its beginning. */
static int open_archive(const char *path)
{
    /* Standard input may be a socket, or another user's pipe: it can't be opened again. */
    int file = strcmp(path, "/dev/stdin") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                               : open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;

    if (file == -1 || fstat(file, &status) == -1)
        die("%s", path);
    if (S_ISREG(status.st_mode))
        return file;
    /* Without a name: nothing is left of it, however we end. */
    int copy = open(store_open(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (copy == -1)
        die("make a file in %s", store_open());
    if (sha256_pump(file, copy, NULL) < 0 || lseek(copy, 0, SEEK_SET) == -1)
        exit(EXIT_TOOL);
    close(file);
    return copy;
}

int source_open(struct source *source, const char *path)
{
    int file = open_archive(path);
    char *directory = store_temporary("image");

    import_tar(file, directory, path);
    close(file);
    int error = source_read(source, path, open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    free(directory);
    return error;
}

void source_close(struct source *source)
{
    for (size_t i = 0; i < source->count; i++) {
        for (char **layer = source->images[i].layers; layer != NULL && *layer != NULL; layer++)
            free(*layer);
        free(source->images[i].names);
        free(source->images[i].layers);
        config_free(&source->images[i].config);
    }
    free(source->images);
    json_close(&source->json);
    if (source->directory != -1)
        close(source->directory);
}
