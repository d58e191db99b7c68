#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "../01-chroot/tool.h"
#include "overlay.h"

enum { LARGEST_JSON = 8 << 20, MOST_INDEXES = 4, MOST_IMAGES = 1000 };

/* The JSON file called NAME in the tar. Its text is to be freed besides. NULL if told why. */
static char *read_json(const struct source *source, const char *name, struct json *json)
{
    const struct tar_entry *entry = tar_find(&source->tar, name);
    size_t wrong;

    if (entry == NULL) {
        (void)refuse("%s: %s is missing in it", source->tar.path, name);
        return NULL;
    }
    char *text = tar_read(&source->tar, entry, LARGEST_JSON);
    if (text != NULL && !json_read(json, text, (size_t)entry->size, &wrong)) {
        (void)refuse("%s: %s is not JSON from byte %zu on", source->tar.path, name, wrong);
        free(text);
        return NULL;
    }
    return text;
}

static int check_digest(const struct source *source, const char *name, const char *text,
                        size_t length, const char *expected, char computed[SHA256_HEX + 1])
{
    sha256_of(text, length, computed);
    if (expected == NULL || strcmp(expected, computed) == 0)
        return 0;
    return refuse("%s: %s has the digest %.12s..., and %.12s... was promised", source->tar.path,
                  name, computed, expected);
}

/* The digest that a file's name promises: HEX.json, HEX.tar, blobs/sha256/HEX. NULL: none. */
static const char *promised(const char *name)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    static char digits[SHA256_HEX + 1];

    bool whole = sha256_is_hex(base, '\0');
    if (!whole && !sha256_is_hex(base, '.'))
        return NULL;
    if (slash != NULL && strncmp(name, "blobs/sha256/", strlen("blobs/sha256/")) != 0)
        return NULL;
    memcpy(digits, base, SHA256_HEX);
    return digits;
}

static int read_config(struct source *source, struct source_image *image, const char *name,
                       const char *digest)
{
    const struct tar_entry *entry = tar_find(&source->tar, name);

    if (entry == NULL)
        return refuse("%s: the configuration %s is missing in it", source->tar.path, name);
    char *text = tar_read(&source->tar, entry, LARGEST_JSON);
    if (text == NULL)
        return -EINVAL;
    int error = check_digest(source, name, text, (size_t)entry->size, digest, image->id);
    if (error != 0) {
        free(text);
        return error;
    }
    error = config_read(&image->config, text, (size_t)entry->size, source->tar.path);
    if (error == 0 && image->config.layer_count > OVERLAY_MOST_LAYERS)
        return refuse("%s: %zu layers; overlay stacks at most %d", source->tar.path,
                      image->config.layer_count, OVERLAY_MOST_LAYERS);
    image->layers = error == 0 ? calloc(image->config.layer_count, sizeof(*image->layers)) : NULL;
    return error == 0 && image->layers == NULL ? report("%s", source->tar.path) : error;
}

static int set_layer(const struct source *source, struct source_layer *layer, const char *name,
                     const char *digest)
{
    layer->file = tar_find(&source->tar, name);
    if (layer->file == NULL)
        return refuse("%s: the layer %s is missing in it", source->tar.path, name);
    if (digest != NULL)
        memcpy(layer->digest, digest, SHA256_HEX);
    return 0;
}

/* One more image, empty. NULL if told why. */
static struct source_image *add_image(struct source *source)
{
    if (source->count == MOST_IMAGES) {
        (void)refuse("%s: too many images in it", source->tar.path);
        return NULL;
    }
    void *more = realloc(source->images, (source->count + 1) * sizeof(*source->images));
    if (more == NULL) {
        (void)report("%s", source->tar.path);
        return NULL;
    }
    source->images = more;
    struct source_image *image = &source->images[source->count++];
    memset(image, 0, sizeof(*image));
    return image;
}

/* One element of docker's manifest.json: {"Config": FILE, "RepoTags": [...], "Layers": [FILE...]}
 */
static int read_docker_image(struct source *source, const struct json *json, size_t element)
{
    size_t layers = json_member(json, element, "Layers"), count = 0;
    char *config;

    if (!json_text(json, element, "Config", &config) || config == NULL)
        return refuse("%s: an image in manifest.json has no Config", source->tar.path);
    struct source_image *image = add_image(source);
    if (image == NULL) {
        free(config);
        return -EINVAL;
    }
    image->names = json_list(json, element, "RepoTags");
    int error =
        image->names == NULL
            ? refuse("%s: RepoTags in manifest.json is not a list of strings", source->tar.path)
            : read_config(source, image, config, promised(config));
    free(config);
    if (error == 0 && json_length(json, layers) != image->config.layer_count)
        error = refuse("%s: %zu layers in manifest.json, and %zu in the configuration",
                       source->tar.path, json_length(json, layers), image->config.layer_count);
    if (error != 0)
        return error;
    for (size_t i = json_first(json, layers); i != JSON_NONE && error == 0;
         i = json_next(json, layers, i)) {
        char *name = json_string(json, i);
        error = name == NULL
                    ? refuse("%s: a layer in manifest.json is not a name", source->tar.path)
                    : set_layer(source, &image->layers[count++], name, promised(name));
        free(name);
    }
    return error;
}

static int read_docker(struct source *source)
{
    struct json json;
    char *text = read_json(source, "manifest.json", &json);
    int error = 0;

    if (text == NULL)
        return -EINVAL;
    if (json_length(&json, 0) == 0)
        error = refuse("%s: manifest.json names no image", source->tar.path);
    for (size_t i = json_first(&json, 0); i != JSON_NONE && error == 0; i = json_next(&json, 0, i))
        error = read_docker_image(source, &json, i);
    json_free(&json);
    free(text);
    return error;
}

/* The blob that a descriptor {"digest": "sha256:…"} points to, as a path in the tar. */
static char *blob_path(const struct json *json, size_t descriptor, char digest[SHA256_HEX + 1])
{
    char *text = json_string(json, json_member(json, descriptor, "digest")), *path = NULL;
    const char *digits = digest_digits(text);

    if (digits != NULL) {
        memcpy(digest, digits, SHA256_HEX + 1);
        if (asprintf(&path, "blobs/sha256/%s", digits) == -1)
            path = NULL;
    }
    free(text);
    return path;
}

/* Read the JSON that a descriptor points to, after checking its digest. NULL if told why. */
static char *follow(struct source *source, const struct json *json, size_t descriptor,
                    struct json *found)
{
    char digest[SHA256_HEX + 1], computed[SHA256_HEX + 1];
    char *path = blob_path(json, descriptor, digest), *text = NULL;

    if (path == NULL)
        (void)refuse("%s: something in it has no sha256 digest", source->tar.path);
    else
        text = read_json(source, path, found);
    if (text != NULL) {
        size_t length = (size_t)tar_find(&source->tar, path)->size;
        if (check_digest(source, path, text, length, digest, computed) != 0) {
            json_free(found);
            free(text);
            text = NULL;
        }
    }
    free(path);
    return text;
}

static int read_oci_manifest(struct source *source, const struct json *json, const char *name)
{
    size_t layers = json_member(json, 0, "layers"), count = 0;
    char digest[SHA256_HEX + 1];
    char *config = blob_path(json, json_member(json, 0, "config"), digest);

    if (config == NULL)
        return refuse("%s: a manifest in it names no configuration", source->tar.path);
    struct source_image *image = add_image(source);
    if (image == NULL || (image->names = calloc(2, sizeof(char *))) == NULL ||
        (name != NULL && (image->names[0] = strdup(name)) == NULL)) {
        free(config);
        return image == NULL ? -EINVAL : report("%s", source->tar.path);
    }
    int error = read_config(source, image, config, digest);
    free(config);
    if (error == 0 && json_length(json, layers) != image->config.layer_count)
        error = refuse("%s: %zu layers in the manifest, and %zu in the configuration",
                       source->tar.path, json_length(json, layers), image->config.layer_count);
    if (error != 0)
        return error;
    for (size_t i = json_first(json, layers); i != JSON_NONE && error == 0;
         i = json_next(json, layers, i)) {
        char *path = blob_path(json, i, digest);
        error = path == NULL ? refuse("%s: a layer in it has no sha256 digest", source->tar.path)
                             : set_layer(source, &image->layers[count++], path, digest);
        free(path);
    }
    return error;
}

/* What the OCI, following Go, calls this machine's architecture. */
static const char *architecture(void)
{
    static const char *const names[][2] = {
        {"x86_64", "amd64"}, {"aarch64", "arm64"},   {"armv7l", "arm"},  {"armv6l", "arm"},
        {"i686", "386"},     {"riscv64", "riscv64"}, {"s390x", "s390x"}, {"ppc64le", "ppc64le"},
    };
    static struct utsname machine;

    uname(&machine);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(machine.machine, names[i][0]) == 0)
            return names[i][1];
    return machine.machine;
}

/* Is the descriptor for this machine? One that doesn't say, may be. A negative errno if told. */
static int is_for_us(const struct source *source, const struct json *json, size_t descriptor)
{
    size_t platform = json_member(json, descriptor, "platform");
    char *machine = NULL, *system = NULL;
    bool good = json_text(json, platform, "architecture", &machine) &&
                json_text(json, platform, "os", &system);
    bool ours = (machine == NULL || strcmp(machine, architecture()) == 0) &&
                (system == NULL || strcmp(system, "linux") == 0);

    free(machine);
    free(system);
    if (!good)
        return refuse("%s: a platform in it is not two strings: architecture and os",
                      source->tar.path);
    return ours;
}

static int name_of(const struct source *source, const struct json *json, size_t descriptor,
                   char **name)
{
    static const char *const keys[] = {"io.containerd.image.name",
                                       "org.opencontainers.image.ref.name"};
    size_t annotations = json_member(json, descriptor, "annotations");

    *name = NULL;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && *name == NULL; i++)
        if (!json_text(json, annotations, keys[i], name))
            return refuse("%s: the annotation %s in it is not a string", source->tar.path, keys[i]);
    return 0;
}

static int read_oci_index(struct source *source, const struct json *json, const char *name,
                          int depth);

/* What a descriptor in an index points to: a manifest, or a further index. */
static int read_oci_descriptor(struct source *source, const struct json *json, size_t descriptor,
                               const char *name, int depth)
{
    struct json found;
    char *own, *text = follow(source, json, descriptor, &found);

    if (text == NULL)
        return -EINVAL;
    int error = name_of(source, json, descriptor, &own);
    if (error == 0 && json_is_empty(&found, json_member(&found, 0, "manifests")))
        error = read_oci_manifest(source, &found, own ? own : name);
    else if (error == 0)
        error = read_oci_index(source, &found, own ? own : name, depth + 1);
    json_free(&found);
    free(own);
    free(text);
    return error;
}

/* An index names manifests, or further indexes, one for each architecture. */
static int read_oci_index(struct source *source, const struct json *json, const char *name,
                          int depth)
{
    size_t manifests = json_member(json, 0, "manifests"), before = source->count;
    int error = 0;

    if (depth == MOST_INDEXES)
        return refuse("%s: indexes in it are nested too deeply", source->tar.path);
    for (size_t i = json_first(json, manifests); i != JSON_NONE && error == 0;
         i = json_next(json, manifests, i)) {
        if (depth > 0 && source->count > before) /* one image is enough for one name */
            break;
        int ours = is_for_us(source, json, i);
        error = ours > 0 ? read_oci_descriptor(source, json, i, name, depth) : ours;
    }
    if (error == 0 && source->count == before)
        error = refuse("%s: no image in it is for linux/%s", source->tar.path, architecture());
    return error;
}

static int read_oci(struct source *source)
{
    struct json json;
    char *text = read_json(source, "index.json", &json);

    source->is_oci = true;
    if (text == NULL)
        return -EINVAL;
    int error = read_oci_index(source, &json, NULL, 0);
    json_free(&json);
    free(text);
    return error;
}

int source_open(struct source *source, const char *path)
{
    *source = (struct source){.count = 0};
    int error = tar_open(&source->tar, path);
    if (error != 0)
        return error;
    if (tar_find(&source->tar, "manifest.json") != NULL)
        error = read_docker(source);
    else if (tar_find(&source->tar, "index.json") != NULL)
        error = read_oci(source);
    else
        error = refuse("%s: not an image: it has neither manifest.json nor index.json", path);
    if (error != 0)
        source_close(source);
    return error;
}

void source_close(struct source *source)
{
    for (size_t i = 0; i < source->count; i++) {
        struct source_image *image = &source->images[i];
        json_list_free(image->names);
        config_free(&image->config);
        free(image->layers);
    }
    free(source->images);
    tar_close(&source->tar);
}
