/*
 * Tars on their way into the store. The machine's own tar unpacks them in a box (workbox.h) into
 * this process's directory in tmp/; a layer is moved to its place when all of its image are whole.
 *
 * All functions run on the host. An error or a signal ends the tool, and leaves nothing.
 */
#ifndef IMPORT_H
#define IMPORT_H

#include <sys/types.h>

/*
 * What is in FILE uncompressed, by gzip, zstd, xz or bzip2: FILE itself if it isn't compressed,
 * else a file without a name, and FILE is closed. LABEL is what errors begin with.
 */
int import_plain(int file, const char *label);

/*
 * Begin to unpack a layer, if the store doesn't have it: its tar is SIZE bytes of FILE from START
 * on, maybe compressed; DIGEST is promised for it uncompressed. Several are unpacked at once.
 */
void import_layer(int file, off_t start, off_t size, const char *digest, const char *label);

/* Wait until all of them are whole. */
void import_wait(void);

/* Holding the store. Move that layer to its place, if it is new. */
void import_keep(const char *digest);

/* The layers that the store had already were held until now so that nobody removes them. */
void import_end(void);

#endif
