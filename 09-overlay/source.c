#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "overlay.h"
#include "store.h"
#include "workbox.h"

enum { LARGEST_JSON = 8 << 20, MOST_INDEXES = 4, MOST_IMAGES = 1000 };

/* The digest that a file's name promises: HEX.json, HEX.tar, blobs/sha256/HEX. "" if it is none. */
static void promised(const char *path, char digest[SHA256_HEX + 1])
{
    static const char blobs[] = "blobs/sha256/";
    const char *name = strncmp(path, blobs, strlen(blobs)) == 0 ? path + strlen(blobs) : path;
    bool promises = sha256_is_hex(name, '\0') || sha256_is_hex(name, '.');

    snprintf(digest, SHA256_HEX + 1, "%s", promises && strchr(name, '/') == NULL ? name : "");
}

/*
 * The content of the file PATH, which is WHAT, with the LENGTH and DIGEST that it has: the one that
 * its name promises. To be freed; NULL if told why.
 */
static char *read_file(const struct source *source, const char *what, const char *path,
                       size_t *length, char digest[SHA256_HEX + 1])
{
    const struct tar_member *member = tar_find(&source->tar, path);
    char expected[SHA256_HEX + 1];

    if (member == NULL) {
        (void)refuse("%s: %s%s is missing in it", source->tar.path, what, path);
        return NULL;
    }
    char *text = tar_read(&source->tar, member, LARGEST_JSON);
    if (text == NULL)
        return NULL;
    *length = (size_t)member->size;
    sha256_of(text, *length, digest);
    promised(path, expected);
    if (expected[0] == '\0' || strcmp(expected, digest) == 0)
        return text;
    (void)refuse("%s: %s has the digest %.12s..., and %.12s... was promised", source->tar.path,
                 path, digest, expected);
    free(text);
    return NULL;
}

/* The JSON in the file PATH, for forget_json(). */
static int read_json(const struct source *source, const char *path, struct json *json)
{
    char digest[SHA256_HEX + 1];
    size_t length, wrong;
    char *text = read_file(source, "", path, &length, digest);

    if (text == NULL)
        return -EINVAL;
    if (json_read(json, text, length, &wrong))
        return 0;
    free(text);
    return refuse("%s: %s is not JSON from byte %zu on", source->tar.path, path, wrong);
}

static void forget_json(struct json *json)
{
    free((char *)json->text);
    json_free(json);
}

/*
 * The path of the file that VALUE speaks of: docker gives it, OCI's descriptors the digest that the
 * file is called by, {"digest": "sha256:..."}. To be freed; NULL if told.
 */
static char *path_of(const struct source *source, const struct json *json, size_t value)
{
    char *text = json_string(json, source->is_oci ? json_member(json, value, "digest") : value);
    const char *digits = digest_digits(text);
    char *path = NULL;

    if (!source->is_oci && text != NULL)
        return text;
    if (digits == NULL)
        (void)refuse("%s: something in it has no %s", source->tar.path,
                     source->is_oci ? "sha256 digest" : "name of a file");
    else if (asprintf(&path, "blobs/sha256/%s", digits) == -1)
        path = NULL;
    free(text);
    return path;
}

static int find_layer(const struct source *source, const struct json *json, size_t value,
                      struct source_layer *layer)
{
    char *path = path_of(source, json, value);
    int error = path == NULL ? -EINVAL : 0;

    layer->file = path ? tar_find(&source->tar, path) : NULL;
    if (error == 0 && layer->file == NULL)
        error = refuse("%s: the layer %s is missing in it", source->tar.path, path);
    if (error == 0)
        promised(path, layer->digest);
    free(path);
    return error;
}

/* One more image, which owns its NAMES, also if this fails. NULL if told why. */
static struct source_image *add_image(struct source *source, char **names)
{
    void *more = NULL;

    if (source->count == MOST_IMAGES)
        (void)refuse("%s: too many images in it", source->tar.path);
    else if (names == NULL ||
             !(more = realloc(source->images, (source->count + 1) * sizeof(*source->images))))
        (void)report("%s", source->tar.path);
    if (more == NULL) {
        json_list_free(names);
        return NULL;
    }
    source->images = more;
    source->images[source->count] = (struct source_image){.names = names};
    return &source->images[source->count++];
}

/*
 * An image: an OCI manifest, or an element of docker's manifest.json. Both say which file is its
 * configuration and which ones are its layers.
 */
static int read_image(struct source *source, const struct json *json, size_t object, char **names)
{
    size_t config = json_member(json, object, source->is_oci ? "config" : "Config");
    size_t layers = json_member(json, object, source->is_oci ? "layers" : "Layers"), length;
    struct source_image *image = add_image(source, names);
    char *path = image ? path_of(source, json, config) : NULL;
    char *text = path ? read_file(source, "the configuration ", path, &length, image->id) : NULL;

    free(path);
    if (text == NULL)
        return -EINVAL;
    int error = config_read(&image->config, text, length, source->tar.path);
    size_t count = image->config.layer_count;
    if (error == 0 && count > OVERLAY_MOST_LAYERS)
        error = refuse("%s: %zu layers; overlay stacks at most %d", source->tar.path, count,
                       OVERLAY_MOST_LAYERS);
    if (error == 0 && json_length(json, layers) != count)
        error = refuse("%s: %zu layers in %s, and %zu in the configuration", source->tar.path,
                       json_length(json, layers), source->is_oci ? "the manifest" : "manifest.json",
                       count);
    struct source_layer *layer = image->layers = calloc(count + 1, sizeof(*layer));
    if (error != 0 || layer == NULL)
        return error != 0 ? error : report("%s", source->tar.path);
    for (size_t i = json_first(json, layers); i != JSON_NONE && error == 0;
         i = json_next(json, layers, i))
        error = find_layer(source, json, i, layer++);
    return error;
}

/* Docker's manifest.json: [{"Config": FILE, "RepoTags": [NAME...], "Layers": [FILE...]}...] */
static int read_docker(struct source *source, const struct json *json)
{
    int error = 0;

    if (json_length(json, 0) == 0)
        return refuse("%s: manifest.json names no image", source->tar.path);
    for (size_t i = json_first(json, 0); i != JSON_NONE && error == 0; i = json_next(json, 0, i)) {
        char **names = json_list(json, i, "RepoTags");
        error = names != NULL ? read_image(source, json, i, names)
                              : refuse("%s: RepoTags in manifest.json is not a list of strings",
                                       source->tar.path);
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

static int read_index(struct source *source, const struct json *json, const char *name, int depth);

/* What a descriptor in an index points to: a manifest, or a further index. */
static int read_descriptor(struct source *source, const struct json *json, size_t descriptor,
                           const char *name, int depth)
{
    char *own = NULL, *path = path_of(source, json, descriptor);
    struct json found;
    int error = path == NULL ? -EINVAL : read_json(source, path, &found);

    free(path);
    if (error != 0)
        return error;
    error = name_of(source, json, descriptor, &own);
    name = own ? own : name;
    if (error == 0 && !json_is_empty(&found, json_member(&found, 0, "manifests"))) {
        error = read_index(source, &found, name, depth + 1);
    } else if (error == 0) {
        char **names = calloc(2, sizeof(*names));
        if (names != NULL && name != NULL)
            names[0] = strdup(name);
        error = read_image(source, &found, 0, names);
    }
    forget_json(&found);
    free(own);
    return error;
}

/* An index names manifests, or further indexes, one for each architecture. */
static int read_index(struct source *source, const struct json *json, const char *name, int depth)
{
    size_t manifests = json_member(json, 0, "manifests"), before = source->count;
    int error = 0;

    if (depth == MOST_INDEXES)
        return refuse("%s: indexes in it are nested too deeply", source->tar.path);
    for (size_t i = json_first(json, manifests); i != JSON_NONE && error == 0;
         i = json_next(json, manifests, i)) {
        if (depth > 0 && source->count > before) /* one image is enough for one name */
            break;
        error = is_for_us(source, json, i);
        if (error > 0)
            error = read_descriptor(source, json, i, name, depth);
    }
    if (error == 0 && source->count == before)
        error = refuse("%s: no image in it is for linux/%s", source->tar.path, architecture());
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

/* Open PATH for reading at any place: the file itself, or what comes out of a pipe or is unpacked.
 */
static int open_archive(const char *path)
{
    /* Standard input may be a socket, or another user's pipe: it can't be opened again. */
    bool is_input = strcmp(path, "/dev/stdin") == 0;
    int file =
        is_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;

    if (file == -1 || fstat(file, &status) == -1)
        return report("%s", path);
    if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)) {
        file = filter(path, (const char *const[]){"cat", NULL}, file);
    } else if (!S_ISREG(status.st_mode)) {
        close(file);
        return refuse("%s: not a file, which the tar of an image has to be", path);
    }
    if (file < 0)
        return file;
    lseek(file, 0, SEEK_SET);
    const char *program = tar_decompressor(file, 0);
    return program ? filter(path, (const char *const[]){program, "-dc", NULL}, file) : file;
}

int source_open(struct source *source, const char *path)
{
    *source = (struct source){.count = 0};
    int file = open_archive(path), error = file < 0 ? file : tar_open(&source->tar, path, file);
    if (error != 0)
        return error;
    bool is_docker = tar_find(&source->tar, "manifest.json") != NULL;
    struct json json;

    source->is_oci = !is_docker && tar_find(&source->tar, "index.json") != NULL;
    if (!is_docker && !source->is_oci)
        error = refuse("%s: not an image: it has neither manifest.json nor index.json", path);
    else
        error = read_json(source, is_docker ? "manifest.json" : "index.json", &json);
    if (error == 0) {
        error = is_docker ? read_docker(source, &json) : read_index(source, &json, NULL, 0);
        forget_json(&json);
    }
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
