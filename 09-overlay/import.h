/*
 * Tars on their way into the store. The machine's own tar unpacks them in a box (workbox.h) into
 * this process's directory in tmp/; a layer is moved to its place when all of its image are whole.
 *
 * All functions run on the host. An error or a signal ends the tool, and leaves nothing.
 */
#ifndef IMPORT_H
#define IMPORT_H

#include <stddef.h>

#include "overlay.h"

/* The layers of an image that the store has already, held so that nobody removes them. */
struct import {
    int holds[OVERLAY_MOST_LAYERS];
    size_t count;
};

/*
 * Unpack the tar FILE, which may be compressed by gzip, zstd, xz or bzip2, into DIRECTORY, a new
 * one. LABEL is what errors begin with.
 */
void import_tar(int file, const char *directory, const char *label);

/* The same for the tar of a layer, if the store doesn't have it; DIGEST is promised for the tar,
 * uncompressed. */
void import_layer(struct import *import, int file, const char *digest, const char *label);

/* Holding the store. Move that layer to its place, if it is new. */
void import_keep(const char *digest);

/* Let go of the layers. */
void import_end(struct import *import);

#endif
