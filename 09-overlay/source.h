/*
 * Images in a tar, as "docker save" writes it, older (manifest.json, a configuration and the tars
 * of layers) or newer (the same, in an OCI layout), and as OCI layouts are (index.json, manifests
 * by architecture, blobs). A manifest or configuration whose name is a digest has to have it; of a
 * layer, layer.c checks the tar inside.
 *
 * The tar is not unpacked: its headers say where in it each file lies.
 *
 * All functions run on the host. An error or a signal ends the tool, and leaves nothing.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "image.h"

/* The tar of a layer, maybe compressed, is part of a file. */
struct layer {
    const char *digest; /* that is promised for the tar, uncompressed */
    int file;
    off_t start, size; /* in bytes */
};

struct source_image {
    char **names; /* as the tar calls it; ends with NULL, may be empty */
    char id[SHA256_HEX + 1];
    struct config config;
    struct layer *layers; /* bottom first, as many as in the configuration */
};

struct source {
    const char *path;   /* of the tar, for errors */
    int file;           /* the tar, not compressed */
    struct entry *last; /* the files in the tar */
    bool is_oci;        /* an OCI layout: the names in it may be tags alone */
    struct json json;   /* manifest.json or index.json */
    off_t room;         /* for how many bytes of JSON there is still room */
    struct source_image *images;
    size_t count;
};

/*
 * Find out which images the tar at PATH holds, which may be a pipe, and compressed as a whole; or
 * the one that is open as FILE.
 */
void source_open(struct source *source, const char *path);
void source_read(struct source *source, const char *path, int file);

/*
 * layer.c: layers on their way into the store. The machine's own tar unpacks them in boxes
 * (workbox.h) into this process's directory in tmp/; they are moved to their places when all of
 * them are whole.
 *
 * Bring the COUNT LAYERS into the store, those that it lacks. Returns the store's lock: store.h.
 */
int import_layers(const struct layer *layers, size_t count);

/*
 * What is in FILE uncompressed, by gzip, zstd, xz or bzip2: FILE itself if it isn't compressed,
 * else a file without a name. LABEL is what errors begin with.
 */
int import_plain(int file, const char *label);

/* The way back: the tar of the layer in DIRECTORY, as the file NAME in the store's tmp/, which is
 * returned open, and its DIGEST. */
int layer_pack(const char *directory, const char *name, const char *label,
               char digest[SHA256_HEX + 1]);

#endif
