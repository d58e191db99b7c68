/* One layer: from the tar of an image into a directory, by the machine's own tar, in a box. */
#ifndef LAYER_H
#define LAYER_H

#include <stdint.h>
#include <sys/types.h>

#include "sha256.h"

struct layer {
    int file; /* where its tar is: SIZE bytes from OFFSET */
    off_t offset, size;
    const char *label;      /* what errors begin with */
    const char *digest;     /* promised for those bytes; "": nothing is */
    const char *tar_digest; /* promised for the tar that they are, uncompressed; "": nothing is */
    const char *directory;  /* gets the files */
    uint64_t *read, *unpacked; /* count bytes, in memory shared by the processes; may be NULL */
};

/*
 * Host. Unpack LAYER, which may be compressed by gzip, zstd, xz or bzip2, into its directory, and
 * check its digests. That of the tar goes into TAR_DIGEST. What it starts ends with the calling
 * process. Returns 0, or a negative errno after one line that says what is wrong.
 */
int layer_unpack(const struct layer *layer, char tar_digest[SHA256_HEX + 1]);

#endif
