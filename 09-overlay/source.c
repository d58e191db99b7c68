#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "overlay.h"
#include "store.h"
#include "workbox.h"

enum { MAX_JSON = 16 << 20, MAX_INDEXES = 4, MAX_IMAGES = 1000 };

/* What the OCI, following Go, calls this machine's architecture. */
#ifdef __aarch64__
static const char architecture[] = "arm64";
#else
static const char architecture[] = "amd64";
#endif

/*
 * The content of the file PATH, with the LENGTH and DIGEST that it has: the one that its name
 * promises, as in HEX.json or blobs/sha256/HEX. To be freed; NULL if told why.
 */
static char *read_file(struct source *source, const char *path, size_t *length,
                       char digest[SHA256_HEX + 1])
{
    const struct tar_member *member = tar_find(&source->tar, path);
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

    if (member == NULL || (size_t)member->size > source->room) {
        (void)refuse("%s: %s in it is %s", source->tar.path, path,
                     member ? "too large" : "missing");
        return NULL;
    }
    *length = (size_t)member->size;
    source->room -= *length;
    char *text = calloc(1, *length + 1);
    if (text == NULL || pread(source->tar.file, text, *length, member->offset) != member->size)
        die("%s: read %s in it", source->tar.path, path);
    sha256_of(text, *length, digest);
    bool promises = sha256_is_hex(name, '\0') || sha256_is_hex(name, '.');
    if (!promises || strncmp(name, digest, SHA256_HEX) == 0)
        return text;
    (void)refuse("%s: %s has the digest %.12s..., and %.12s... was promised", source->tar.path,
                 path, digest, name);
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
    return good ? 0 : refuse("%s: %s is not JSON from byte %zu on", source->tar.path, path, wrong);
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
    (void)refuse("%s: something in it has no %s", source->tar.path,
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
    const char *label = source->tar.path, *path = path_of(source, json, config);
    char *text = path ? read_file(source, path, &length, image->id) : NULL;

    int error = text ? config_read(&image->config, text, length, label) : -EINVAL;
    if (error == 0 && count != image->config.layer_count)
        error = refuse("%s: %zu layers in the manifest, and %zu in the configuration", label, count,
                       image->config.layer_count);
    if (error == 0 && count > OVERLAY_MOST_LAYERS)
        error =
            refuse("%s: %zu layers; overlay stacks at most %d", label, count, OVERLAY_MOST_LAYERS);
    struct source_layer *layer = image->layers = calloc(count + 1, sizeof(*layer));
    for (size_t i = json_first(json, layers); i != JSON_NONE && error == 0;
         i = json_next(json, layers, i)) {
        path = path_of(source, json, i);
        layer->file = path ? tar_find(&source->tar, path) : NULL;
        if (layer++->file == NULL)
            error = path ? refuse("%s: the layer %s is missing in it", label, path) : -EINVAL;
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
 * for this machine counts.
 */
static int read_descriptor(struct source *source, const struct json *json, size_t descriptor,
                           struct source_image *image, int depth)
{
    const char *path = path_of(source, json, descriptor);
    struct json found;
    int error = path != NULL ? read_json(source, path, &found) : -EINVAL;

    if (error != 0)
        return error;
    size_t list = json_member(&found, 0, "manifests"), each = json_first(&found, list);
    while (each != JSON_NONE && !is_for_us(&found, each))
        each = json_next(&found, list, each);
    if (json_is_empty(&found, list))
        error = read_image(source, &found, 0, image);
    else if (each == JSON_NONE)
        error = refuse("%s: no image in it is for linux/%s", source->tar.path, architecture);
    else if (depth == MAX_INDEXES)
        error = refuse("%s: indexes in it are nested too deeply", source->tar.path);
    else
        error = read_descriptor(source, &found, each, image, depth + 1);
    json_close(&found);
    return error;
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
    const char *path = source->tar.path, *file = source->is_oci ? "index.json" : "manifest.json";
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
            error = source->is_oci ? read_descriptor(source, json, i, image, 0)
                                   : read_image(source, json, i, image);
    }
    if (error == 0 && source->count == 0)
        error = refuse("%s: no image in it is for linux/%s", path, architecture);
    return error;
}

/* What COMMAND makes of INPUT, which is closed, in a file without a name. Returns it or -errno. */
static int filter(const char *path, const char *const *command, int input)
{
    int output = store_nameless();
    pid_t process = output < 0 ? output : work_start(NULL, input, output);

    if (process == 0) {
        struct worker worker = worker_start(command, STDIN_FILENO, STDOUT_FILENO);
        int status = work_wait(worker.pid);
        exit(status == 0 || worker_tell(&worker, path, status) == 0 ? EXIT_SUCCESS : EXIT_TOOL);
    }
    close(input);
    if (process > 0 && work_wait(process) == 0 && lseek(output, 0, SEEK_SET) == 0)
        return output;
    if (output >= 0)
        close(output);
    return process < 0 ? process : -EIO; /* it has said why */
}

/* Open PATH for reading at any place: the file itself, or what comes out of a pipe, unpacked. */
static int open_archive(const char *path)
{
    /* Standard input may be a socket, or another user's pipe: it can't be opened again. */
    int file = strcmp(path, "/dev/stdin") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                               : open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;

    if (file == -1 || fstat(file, &status) == -1)
        return report("%s", path);
    if (!S_ISREG(status.st_mode))
        file = filter(path, (const char *const[]){"cat", NULL}, file);
    const char *program = file < 0 ? NULL : tar_decompressor(file, 0);
    return program ? filter(path, (const char *const[]){program, "-dc", NULL}, file) : file;
}

int source_open(struct source *source, const char *path)
{
    *source = (struct source){.room = MAX_JSON};
    int file = open_archive(path), error = file < 0 ? file : tar_open(&source->tar, path, file);
    if (error != 0)
        return error;
    source->is_oci = tar_find(&source->tar, "manifest.json") == NULL;
    if (source->is_oci && tar_find(&source->tar, "index.json") == NULL)
        error = refuse("%s: not an image: it has neither manifest.json nor index.json", path);
    else
        error = read_images(source);
    if (error != 0)
        source_close(source);
    return error;
}

void source_close(struct source *source)
{
    for (size_t i = 0; i < source->count; i++) {
        free(source->images[i].names);
        free(source->images[i].layers);
        config_free(&source->images[i].config);
    }
    free(source->images);
    json_close(&source->json);
    tar_close(&source->tar);
}
