/*
 * Images in a tar, as "docker save" writes it, older (manifest.json, a configuration and the tars
 * of layers) or newer (the same, in an OCI layout), and as OCI layouts are (index.json, manifests
 * by architecture, blobs). A file whose name is a digest has to have it.
 *
 * The tar is not unpacked: its headers say where in it each file lies.
 *
 * All functions run on the host, and an error ends the tool.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "image.h"
#include "import.h"

struct source_image {
    char **names; /* as the tar calls it; ends with NULL, may be empty */
    char id[SHA256_HEX + 1];
    struct config config;
    struct layer *layers; /* bottom first, as many as in the configuration */
};

struct source {
    const char *path; /* of the tar, for errors */
    int file;         /* the tar, not compressed */
    bool is_oci;      /* an OCI layout: the names in it may be tags alone */
    struct json json; /* manifest.json or index.json */
    off_t room;       /* for how many bytes of JSON there is still room */
    struct source_image *images;
    size_t count;
};

/*
 * Find out which images the tar at PATH holds, which may be a pipe, and compressed as a whole; or
 * the one that is open as FILE.
 */
void source_open(struct source *source, const char *path);
void source_read(struct source *source, const char *path, int file);

#endif
