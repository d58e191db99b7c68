/* One layer: from the tar of an image into a directory, by the machine's own tar, in a box. */
#ifndef LAYER_H
#define LAYER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sha256.h"

/* The bytes that have run by at some place, in memory that processes share. */
struct stream {
    uint64_t bytes;
    char digest[SHA256_HEX + 1]; /* at their end, if they are a tar */
};

struct layer {
    int file; /* where its tar is: SIZE bytes from OFFSET */
    off_t offset, size;
    char label[64];         /* what errors begin with */
    const char *tar_digest; /* promised for the tar that they are, uncompressed */

    /* During an import: see import.h */
    struct stream *streams; /* those bytes, and the tar */
    int hold;      /* the lock on it if the store has it already; at first, and if not, negative */
    pid_t process; /* that unpacks it; 0 if none does (any more) */
    bool is_unpacked;
};

/*
 * Host. Begin to unpack LAYER, which may be compressed by gzip, zstd, xz or bzip2, into DIRECTORY,
 * and to check its digest. Returns a process that ends with 0 if all is well, and otherwise after
 * one line that says what is wrong; or -errno after report().
 */
pid_t layer_unpack(const struct layer *layer, const char *directory);

#endif
