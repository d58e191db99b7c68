/*
 * Images in a tar, as "docker save" writes it, older (manifest.json, a configuration and the tars
 * of layers) or newer (the same, in an OCI layout), and as OCI layouts are (index.json, manifests
 * by architecture, blobs). Only reads; a file whose name is a digest has to have it.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "config.h"
#include "tarfile.h"

struct source_layer {
    const struct tar_member *file; /* maybe compressed */
};

struct source_image {
    char **names; /* as the tar calls it; ends with NULL, may be empty */
    char id[SHA256_HEX + 1];
    struct config config;
    struct source_layer *layers; /* bottom first, as many as the configuration has */
};

struct source {
    struct tar_file tar;
    bool is_oci;      /* an OCI layout: the names in it may be tags alone */
    struct json json; /* manifest.json or index.json */
    size_t room;      /* for how many bytes of JSON there is still room */
    struct source_image *images;
    size_t count;
};

/*
 * Host. Open the tar at PATH and read which images it holds. PATH may be a pipe, and the tar be
 * compressed as a whole by gzip, zstd, xz or bzip2: then it is first unpacked into a file of the
 * store that has no name. Returns 0, or a negative errno told.
 */
int source_open(struct source *source, const char *path);
void source_close(struct source *source);

#endif
