/*
 * Images in a tar, as "docker save" writes it, older (manifest.json, a configuration and the tars
 * of layers) or newer (the same, in an OCI layout), and as OCI layouts are (index.json, manifests
 * by architecture, blobs). A file whose name is a digest has to have it.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "config.h"

struct source_image {
    char **names; /* as the tar calls it; ends with NULL, may be empty */
    char id[SHA256_HEX + 1];
    struct config config;
    char **layers; /* the files, maybe compressed; bottom first, as many as in the configuration */
};

struct source {
    const char *path; /* of the tar, for errors */
    int directory;    /* where it is unpacked */
    bool is_oci;      /* an OCI layout: the names in it may be tags alone */
    struct json json; /* manifest.json or index.json */
    size_t room;      /* for how many bytes of JSON there is still room */
    struct source_image *images;
    size_t count;
};

/*
 * Host. Unpack the tar at PATH, which may be a pipe, and compressed as a whole, into the store's
 * tmp/, and read which images it holds; or read those that lie unpacked in DIRECTORY, which is then
 * SOURCE's. Both return 0, or -errno after report(), and the caller calls source_close() in each
 * case.
 */
int source_open(struct source *source, const char *path);
int source_read(struct source *source, const char *path, int directory);
void source_close(struct source *source);

/* Host. Open the file PATH of it. KIND is what the error calls it. Returns as above. */
int source_file(const struct source *source, const char *path, const char *kind);

#endif
