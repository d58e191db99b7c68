#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "image.h"
#include "import.h"
#include "names.h"
#include "pack.h"
#include "store.h"
#include "tarfile.h"

typedef char digest_text[SHA256_HEX + 1];

enum { BLOCK = 512 };

/* One layer as a file of the tar. Its header is written last: it needs the size and the digest. */
static int save_layer(int file, const char *digest, digest_text *packed, size_t index)
{
    char *path = store_path("layers", digest, "diff"), name[SHA256_HEX + 8], label[64];
    int layer = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    off_t header = lseek(file, 0, SEEK_CUR);

    snprintf(label, sizeof(label), "layer %.12s", digest);
    free(path);
    if (layer == -1)
        return report("%s", label);
    if (lseek(file, header + BLOCK, SEEK_SET) == -1) {
        close(layer);
        return report("%s", label);
    }
    off_t size = pack_layer(layer, file, label, packed[index]);
    close(layer);
    if (size < 0)
        return (int)size;
    for (size_t i = 0; i < index; i++)
        if (strcmp(packed[i], packed[index]) == 0) { /* it is there already: once is enough */
            bool back = ftruncate(file, header) == 0 && lseek(file, header, SEEK_SET) != -1;
            return back ? 0 : report("%s", label);
        }
    int error = tar_write_padding(file, size);
    off_t end = lseek(file, 0, SEEK_CUR);
    snprintf(name, sizeof(name), "%s.tar", packed[index]);
    if (error == 0 && lseek(file, header, SEEK_SET) == -1)
        error = report("%s", label);
    if (error == 0)
        error = tar_write_header(file, name, size);
    if (error == 0 && lseek(file, end, SEEK_SET) == -1)
        error = report("%s", label);
    return error;
}

static int save_text(int file, const char *name, const char *text)
{
    off_t size = (off_t)strlen(text);
    int error = tar_write_header(file, name, size);

    if (error == 0)
        error = write_all(file, text, (size_t)size);
    return error == 0 ? tar_write_padding(file, size) : error;
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
    if (name != NULL)
        fprintf(stream, "\"%s\"", name);
    fprintf(stream, "],\"Layers\":[");
    for (size_t i = 0; i < count; i++)
        fprintf(stream, "%s\"%s.tar\"", i ? "," : "", packed[i]);
    fprintf(stream, "]}]\n");
    return fclose(stream) == 0 ? text : NULL;
}

static int save_to(int file, const struct image *image, const char *name)
{
    const struct config *config = &image->config;
    digest_text *packed = calloc(config->layer_count, sizeof(*packed)), id;
    char file_name[SHA256_HEX + 8];
    int error = packed == NULL ? report("save") : 0;

    for (size_t i = 0; i < config->layer_count && error == 0; i++)
        error = save_layer(file, config->layers[i], packed, i);
    char *text = error ? NULL : config_with_layers(config, packed, config->layer_count, NULL, NULL);
    if (error == 0)
        error = text == NULL ? -EIO : sha256_of(text, strlen(text), id);
    char *manifest = error ? NULL : make_manifest(id, name, packed, config->layer_count);
    if (error == 0) {
        snprintf(file_name, sizeof(file_name), "%s.json", id);
        error = manifest == NULL ? report("save") : save_text(file, file_name, text);
    }
    if (error == 0 && manifest != NULL)
        error = save_text(file, "manifest.json", manifest);
    if (error == 0)
        error = tar_write_end(file);
    free(packed);
    free(text);
    free(manifest);
    return error;
}

/*
 * A new file in the directory of PATH, which has no name while it is written: nothing is left of it
 * however we end. Where the file system can't do that, it is made under the name TEMPORARY.
 */
static int open_beside(const char *path, char *temporary, bool *nameless)
{
    char *copy = strdup(path);
    int file = copy == NULL ? -1 : open(dirname(copy), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    free(copy);
    *nameless = file != -1;
    return *nameless ? file : mkostemp(temporary, O_CLOEXEC);
}

/* Only a file with a name can take another one's place: it gets the name TEMPORARY for that. */
static int give_name(int file, char *temporary)
{
    char descriptor[32];
    int other = mkostemp(temporary, O_CLOEXEC);

    if (other == -1)
        return report("save %s", temporary);
    close(other);
    unlink(temporary);
    snprintf(descriptor, sizeof(descriptor), "/proc/self/fd/%d", file);
    return linkat(AT_FDCWD, descriptor, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) == -1
               ? report("save %s", temporary)
               : 0;
}

/* The file appears under its name when it is whole, with what MASK leaves of its mode. */
static int save_whole(const struct image *image, const char *name, const char *path, mode_t mask)
{
    struct stat status;
    char *temporary = NULL;
    bool nameless;

    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return refuse("save %s: not a file", path);
    if (asprintf(&temporary, "%s.XXXXXX", path) == -1)
        return report("save");
    int file = open_beside(path, temporary, &nameless);
    int error = file == -1 ? report("save %s", path) : save_to(file, image, name);
    if (error == 0 && nameless) {
        error = give_name(file, temporary);
        nameless = error != 0;
    }
    if (error == 0 && (fchmod(file, 0666 & ~mask) == -1 || rename(temporary, path) == -1))
        error = report("save %s", path);
    if (error != 0 && file != -1 && !nameless)
        unlink(temporary);
    if (file != -1)
        close(file);
    free(temporary);
    return error;
}

/* A tar is written with steps back, which a pipe does not have. */
static int save_to_output(const struct image *image, const char *name)
{
    char bytes[65536];
    ssize_t got = 0;
    int file = store_nameless();
    int error = file < 0 ? file : save_to(file, image, name);

    if (error == 0)
        lseek(file, 0, SEEK_SET);
    while (error == 0 && (got = read(file, bytes, sizeof(bytes))) > 0)
        error = write_all(STDOUT_FILENO, bytes, (size_t)got);
    if (error == 0 && got == -1)
        error = report("save");
    if (file >= 0)
        close(file);
    return error;
}

int image_save(const char *name, const char *file)
{
    struct image image;
    char id[SHA256_HEX + 1], *name_file = NULL;
    mode_t mask = umask(022); /* the user's, before the store has one of its own */
    int error = image_open(name, &image);

    if (error != 0)
        return error;
    error = name_find(name, id, &name_file);
    if (error == 0) {
        char *whole = name_file ? store_decode(name_file) : NULL;
        error =
            file == NULL ? save_to_output(&image, whole) : save_whole(&image, whole, file, mask);
        free(whole);
        free(name_file);
    }
    image_close(&image);
    return error;
}
