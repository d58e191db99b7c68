/*
 * Layers on their way into the store. The machine's own tar unpacks them in boxes (workbox.h) into
 * this process's directory in tmp/; they are moved to their places when all of them are whole.
 *
 * All functions run on the host. An error or a signal ends the tool, and leaves nothing.
 */
#ifndef IMPORT_H
#define IMPORT_H

#include <sys/types.h>

/* The tar of a layer, maybe compressed, is part of a file. */
struct layer {
    const char *digest; /* that is promised for the tar, uncompressed */
    int file;
    off_t start, size; /* in bytes */
};

/* Bring the COUNT LAYERS into the store, those that it lacks. Returns the store's lock: store.h. */
int import_layers(const struct layer *layers, size_t count);

/*
 * What is in FILE uncompressed, by gzip, zstd, xz or bzip2: FILE itself if it isn't compressed,
 * else a file without a name. LABEL is what errors begin with.
 */
int import_plain(int file, const char *label);

#endif
