#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "image.h"
#include "import.h"
#include "pack.h"
#include "store.h"
#include "tarfile.h"

typedef char digest_text[SHA256_HEX + 1];

static int copy(int from, int to)
{
    char bytes[65536];
    ssize_t got;
    int error = lseek(from, 0, SEEK_SET) == -1 ? report("save") : 0;

    while (error == 0 && (got = read(from, bytes, sizeof(bytes))) != 0)
        error = got == -1 ? report("save") : write_all(to, bytes, (size_t)got);
    return error;
}

/* A member of the tar: TEXT, or if that is NULL what is in the file CONTENT. */
static int save_member(int file, const char *name, const char *text, int content, off_t size)
{
    int error = tar_write_header(file, name, size);

    if (error == 0)
        error = text != NULL ? write_all(file, text, (size_t)size) : copy(content, file);
    return error == 0 ? tar_write_padding(file, size) : error;
}

/* A layer's header needs its size and digest, so it is packed elsewhere first. */
static int save_layer(int file, const char *digest, digest_text *packed, size_t index)
{
    char *path = store_path("layers", digest, "diff"), name[SHA256_HEX + 8], label[64];
    int layer = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int tar = layer == -1 ? report("%s", path) : store_nameless();
    bool repeated = false;

    snprintf(label, sizeof(label), "layer %.12s", digest);
    off_t size = tar < 0 ? tar : pack_layer(layer, tar, label, packed[index]);
    for (size_t i = 0; i < index && size >= 0 && !repeated; i++) /* once is enough */
        repeated = strcmp(packed[i], packed[index]) == 0;
    snprintf(name, sizeof(name), "%s.tar", packed[index]);
    int error = size < 0 ? (int)size : 0;
    if (error == 0 && !repeated)
        error = save_member(file, name, NULL, tar, size);
    if (layer != -1)
        close(layer);
    if (tar >= 0)
        close(tar);
    free(path);
    return error;
}

/* manifest.json: which file is the configuration, which ones are the layers, bottom first. */
static char *make_manifest(const char *id, const char *name, digest_text *packed, size_t count)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    if (stream == NULL)
        return NULL;
    fprintf(stream, "[{\"Config\":\"%s.json\",\"RepoTags\":[", id);
    if (name[0] != '\0')
        fprintf(stream, "\"%s\"", name);
    fprintf(stream, "],\"Layers\":[");
    for (size_t i = 0; i < count; i++)
        fprintf(stream, "%s\"%s.tar\"", i ? "," : "", packed[i]);
    fprintf(stream, "]}]\n");
    return fclose(stream) == 0 ? text : NULL;
}

static int save_to(int file, const struct image *image)
{
    const struct config *config = &image->config;
    digest_text *packed = calloc(config->layer_count, sizeof(*packed)), id;
    char file_name[SHA256_HEX + 8];
    int error = packed == NULL ? report("save") : 0;

    for (size_t i = 0; i < config->layer_count && error == 0; i++)
        error = save_layer(file, config->layers[i], packed, i);
    char *text = error ? NULL : config_with_layers(config, packed, config->layer_count, NULL, NULL);
    if (error == 0)
        error = text == NULL ? -EIO : 0;
    if (error == 0)
        sha256_of(text, strlen(text), id);
    char *manifest = error ? NULL : make_manifest(id, image->name, packed, config->layer_count);
    if (error == 0) {
        snprintf(file_name, sizeof(file_name), "%s.json", id);
        error = manifest == NULL ? report("save")
                                 : save_member(file, file_name, text, -1, (off_t)strlen(text));
    }
    if (error == 0 && manifest != NULL)
        error = save_member(file, "manifest.json", manifest, -1, (off_t)strlen(manifest));
    if (error == 0)
        error = tar_write_end(file);
    free(packed);
    free(text);
    free(manifest);
    return error;
}

/*
 * The file is written without a name, so that nothing is left of it however we end, and appears
 * when it is whole, with what MASK leaves of its mode. Only a file with a name can take another
 * one's place: so it has another name for a moment.
 */
static int save_whole(const struct image *image, const char *path, mode_t mask)
{
    char temporary[PATH_MAX], descriptor[32], directory[PATH_MAX];
    struct stat status;

    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return refuse("save %s: not a file", path);
    snprintf(directory, sizeof(directory), "%s", path);
    snprintf(temporary, sizeof(temporary), "%s.%d", path, getpid());
    int file = open(dirname(directory), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file == -1) {
        if (errno == EOPNOTSUPP || errno == EISDIR)
            hint("this file system has no files without a name: try 'full save IMAGE >FILE'");
        return report("save %s", path);
    }
    int error = save_to(file, image);
    snprintf(descriptor, sizeof(descriptor), "/proc/self/fd/%d", file);
    if (error == 0 && (fchmod(file, 0666 & ~mask) == -1 ||
                       linkat(AT_FDCWD, descriptor, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) == -1 ||
                       rename(temporary, path) == -1)) {
        error = report("save %s", path);
        unlink(temporary);
    }
    close(file);
    return error;
}

int image_save(const char *text, const char *file)
{
    struct image image;
    mode_t mask = umask(022); /* the user's, before the store has one of its own */
    int error = image_open(text, &image);

    if (error != 0)
        return error;
    error = file == NULL ? save_to(STDOUT_FILENO, &image) : save_whole(&image, file, mask);
    image_close(&image);
    return error;
}
