#define _GNU_SOURCE
#include "source.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "overlay.h"
#include "store.h"
#include "tar.h"

enum { MAX_JSON = 4 << 20, MAX_FILES = 1 << 16, MAX_LINKS = 8 };

/* What the OCI, following Go, calls this machine's architecture. */
#ifdef __aarch64__
static const char architecture[] = "arm64";
#else
static const char architecture[] = "amd64";
#endif

/* A file in the tar. */
struct entry {
    struct entry *before;
    char name[101], target[101]; /* target: of a link */
    char type;
    off_t start, size;
};

/* All headers, each read once. Nothing in an image has a name that doesn't fit into one. Sizes of 8
 * GB and more, which don't either, would stand elsewhere. */
static void read_headers(struct source *source)
{
    off_t end = lseek(source->file, 0, SEEK_END), at = 0;
    struct tar_header header;

    for (size_t i = 0; pread(source->file, &header, TAR_BLOCK, at) > 0 && header.name[0]; i++) {
        struct entry *entry = calloc(1, sizeof(*entry));
        unsigned long long size;
        if (entry == NULL || i == MAX_FILES)
            fail("%s: too many files in it for an image", source->path);
        if (strtoul(header.checksum, NULL, 8) != tar_checksum(header) ||
            sscanf(header.size, "%11llo", &size) != 1)
            fail("%s: not a tar, damaged, or with a file of 8 GB or more", source->path);
        memcpy(entry->name, header.name, sizeof(header.name));
        memcpy(entry->target, header.link, sizeof(header.link));
        entry->type = header.type != '\0' ? header.type : '0';
        entry->start = at + TAR_BLOCK;
        entry->size = (off_t)size;
        if (entry->size < 0 || entry->size > end - entry->start)
            fail("%s: cut off: its end is missing", source->path);
        at = entry->start + (entry->size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
        entry->before = source->last;
        source->last = entry;
    }
}

static const char *without(const char *start, const char *path)
{
    return path + (strncmp(path, start, strlen(start)) == 0 ? strlen(start) : 0);
}

/* Of several files called PATH the last one counts: LAST, or one before it. */
static const struct entry *lookup(const struct entry *last, const char *path)
{
    while (last != NULL && strcmp(without("./", last->name), without("./", path)) != 0)
        last = last->before;
    return last;
}

/*
 * The file PATH in the tar. KIND is what the error calls it. A hard link leads to an earlier file,
 * maybe of its own name: tar makes one of a file that it packs twice. Docker has saved a layer that
 * it had written already as a symbolic link, such as "../OTHER/layer.tar".
 */
static struct layer find(const struct source *source, const char *path, const char *kind)
{
    const struct entry *entry = lookup(source->last, path);

    for (int links = 0; entry != NULL && entry->type != '0' && links < MAX_LINKS; links++)
        entry = lookup(entry->type == '1' ? entry->before : source->last,
                       without("../", entry->target));
    if (entry == NULL || entry->type != '0')
        fail("%s: %s%.80s is missing in it", source->path, kind, path);
    return (struct layer){.file = source->file, .start = entry->start, .size = entry->size};
}

/*
 * The content of the file PATH, with the LENGTH and DIGEST that it has: the one that its name
 * promises, as in HEX.json or blobs/sha256/HEX. To be freed.
 */
static char *read_file(struct source *source, const char *path, size_t *length,
                       char digest[SHA256_HEX + 1])
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    struct layer file = find(source, path, "");

    if (file.size > source->room)
        fail("%s: %.80s in it is too large", source->path, path);
    source->room -= file.size;
    *length = (size_t)file.size;
    char *text = calloc(1, *length + 1);
    if (text == NULL || pread(source->file, text, *length, file.start) != file.size)
        die("%s: read %.80s in it", source->path, path);
    sha256_of(text, *length, digest);
    bool promises = sha256_is_hex(name, '\0') || sha256_is_hex(name, '.');
    if (promises && strncmp(name, digest, SHA256_HEX) != 0)
        fail("%s: %s has the digest %.12s..., and %.12s... was promised", source->path, path,
             digest, name);
    return text;
}

/* The JSON in the file PATH. */
static struct json read_json(struct source *source, const char *path)
{
    char digest[SHA256_HEX + 1];
    size_t length;
    char *text = read_file(source, path, &length, digest);
    struct json json;

    if (!json_read(&json, text, length))
        fail("%s: %s is not JSON", source->path, path);
    return json;
}

/*
 * The path of the file that VALUE speaks of, until the next call: docker gives it, OCI's
 * descriptors the digest that the file is called by, {"digest": "sha256:..."}.
 */
static const char *path_of(const struct source *source, const struct json *json, size_t value)
{
    static char path[sizeof("blobs/sha256/") + SHA256_HEX];
    char *text = json_text(json, source->is_oci ? json_member(json, value, "digest") : value);
    const char *digits = digest_digits(text);

    if (!source->is_oci && text != NULL)
        return text;
    if (digits == NULL)
        fail("%s: something in it has no %s", source->path,
             source->is_oci ? "sha256 digest" : "name of a file");
    snprintf(path, sizeof(path), "blobs/sha256/%s", digits);
    return path;
}

/*
 * An image: an OCI manifest, or an element of docker's manifest.json. Both say which file is its
 * configuration and which ones are its layers.
 */
static void read_image(struct source *source, const struct json *json, size_t object,
                       struct source_image *image)
{
    size_t config = json_member(json, object, source->is_oci ? "config" : "Config");
    size_t layers = json_member(json, object, source->is_oci ? "layers" : "Layers");
    size_t count = json_length(json, layers), length;
    char *text = read_file(source, path_of(source, json, config), &length, image->id);

    if (config_read(&image->config, text, length, source->path) != 0)
        exit(EXIT_TOOL);
    if (count != image->config.layer_count)
        fail("%s: %zu layers in the manifest, and %zu in the configuration", source->path, count,
             image->config.layer_count);
    if (count > OVERLAY_MAX_LAYERS)
        fail("%s: %zu layers; overlay stacks at most %d", source->path, count, OVERLAY_MAX_LAYERS);
    image->layers = calloc(count, sizeof(*image->layers));
    if (image->layers == NULL)
        die("%s", source->path);
    for (size_t each = JSON_NONE, i = 0; (each = json_next(json, layers, each)) != JSON_NONE; i++) {
        image->layers[i] = find(source, path_of(source, json, each), "the layer ");
        image->layers[i].digest = image->config.layers[i];
    }
}

/* Is what DESCRIPTOR points to for this machine? If it says nothing of that, it may be. */
static bool is_for_us(const struct json *json, size_t descriptor)
{
    const char *const ours[][2] = {{"os", "linux"}, {"architecture", architecture}};
    size_t platform = json_member(json, descriptor, "platform");
    bool good = true;

    for (size_t i = 0; i < 2 && good; i++) {
        size_t member = json_member(json, platform, ours[i][0]);
        const char *text = json_text(json, member);
        good = json_is_empty(json, member) || (text != NULL && strcmp(text, ours[i][1]) == 0);
    }
    return good;
}

/*
 * What a descriptor in an index points to: a manifest, or a further index, in which the first one
 * for this machine counts. They can't go in circles: each is called by its digest.
 */
static void read_descriptor(struct source *source, const struct json *json, size_t descriptor,
                            struct source_image *image)
{
    struct json found = read_json(source, path_of(source, json, descriptor));
    size_t list;

    while (list = json_member(&found, 0, "manifests"), !json_is_empty(&found, list)) {
        size_t each = json_next(&found, list, JSON_NONE);
        while (each != JSON_NONE && !is_for_us(&found, each))
            each = json_next(&found, list, each);
        if (each == JSON_NONE)
            fail("%s: no image in it is for linux/%s", source->path, architecture);
        found = read_json(source, path_of(source, &found, each));
    }
    read_image(source, &found, 0, image);
}

/* The names that docker's manifest.json has for an image, or the one of a descriptor of OCI's. */
static char **names_of(const struct source *source, size_t each)
{
    size_t notes = json_member(&source->json, each, "annotations");
    char **names = json_list(&source->json, each, "RepoTags");

    if (names != NULL && names[0] == NULL)
        names = json_list(&source->json, notes, "io.containerd.image.name");
    if (names != NULL && names[0] == NULL)
        names = json_list(&source->json, notes, "org.opencontainers.image.ref.name");
    return names;
}

/*
 * Docker's manifest.json: [{"Config": FILE, "RepoTags": [NAME...], "Layers": [FILE...]}...]
 * OCI's index.json: {"manifests": [{"digest": DIGEST, "platform": {...}, "annotations": {...}}...]}
 */
static void read_images(struct source *source)
{
    const char *path = source->path, *file = source->is_oci ? "index.json" : "manifest.json";
    const struct json *json = &source->json;

    source->json = read_json(source, file);
    size_t list = source->is_oci ? json_member(json, 0, "manifests") : 0;
    source->images = calloc(json_length(json, list) + 1, sizeof(*source->images));
    if (source->images == NULL)
        die("%s", path);
    for (size_t i = JSON_NONE; (i = json_next(json, list, i)) != JSON_NONE;) {
        if (source->is_oci && !is_for_us(json, i))
            continue;
        struct source_image *image = &source->images[source->count++];
        image->names = names_of(source, i);
        if (image->names == NULL)
            fail("%s: the names of an image in %s are not strings", path, file);
        if (source->is_oci)
            read_descriptor(source, json, i, image);
        else
            read_image(source, json, i, image);
    }
    if (source->count == 0)
        fail("%s: no image in it is for linux/%s", path, architecture);
}

void source_read(struct source *source, const char *path, int file)
{
    *source = (struct source){.path = path, .file = file, .room = MAX_JSON};
    read_headers(source);
    source->is_oci = lookup(source->last, "manifest.json") == NULL;
    if (source->is_oci && lookup(source->last, "index.json") == NULL)
        fail("%s: not an image: it has neither manifest.json nor index.json", path);
    read_images(source);
}

/* Only what is in a file can be read from any place. */
void source_open(struct source *source, const char *path)
{
    /* Standard input may be a socket, or another user's pipe: it can't be opened again. */
    int file = strcmp(path, "/dev/stdin") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                               : open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;

    if (file == -1 || fstat(file, &status) == -1)
        die("%s", path);
    if (!S_ISREG(status.st_mode)) {
        int copy = store_file();
        if (sha256_pump(file, copy, NULL) < 0)
            exit(EXIT_TOOL);
        (void)lseek(copy, 0, SEEK_SET);
        close(file);
        file = copy;
    }
    source_read(source, path, import_plain(file, path));
}
