/*
 * Tars: what is in one, member by member; of the outer tar of an image an index of what lies where,
 * so that its layers can be read in place without unpacking it first; and the few headers that
 * writing one takes. tar(5)
 */
#ifndef TARFILE_H
#define TARFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* A member, as its header says, and those before it that are about the next one. */
struct tar_member {
    char type;    /* '1' a hard link, '2' a symbolic one */
    char *name;   /* in an index without "./" in front */
    char *link;   /* what a link names, in an index as seen from the top; otherwise NULL */
    off_t size;   /* of the content that follows; in the tar it fills whole blocks */
    off_t offset; /* where that is; only in an index */
};

/*
 * Either side. Read from STREAM up to the content of the next member; COPY, unless NULL, gets all
 * that is read. Returns 1, or 0 at the empty block that ends the tar; or -1 if it is damaged or,
 * with feof(3), at its end. The caller calls tar_forget() in each case.
 */
int tar_next(FILE *stream, FILE *copy, struct tar_member *member);
void tar_forget(struct tar_member *member);

/* Either side. The size of what SIZE bytes of content fill in the tar: whole blocks. */
off_t tar_blocks(off_t size);

struct tar_file {
    const char *path;
    FILE *stream;
    int file;      /* its descriptor */
    void *members; /* a tree, by name: tsearch(3) */
};

/*
 * Host. Read the headers of the tar in FILE, which is closed by tar_close(), or here if this fails;
 * errors call it PATH. Returns 0, or -errno after saying what is wrong: not a tar, or cut off.
 */
int tar_open(struct tar_file *tar, const char *path, int file);
void tar_close(struct tar_file *tar);

/*
 * Host. The program that decompresses what begins at OFFSET of a file, as its first bytes tell:
 * gzip, zstd, xz or bzip2. NULL: it is a plain tar.
 */
const char *tar_decompressor(int file, off_t offset);

/* Host. The file called NAME, through links in the tar. NULL if there is none. */
const struct tar_member *tar_find(const struct tar_file *tar, const char *name);

/*
 * Host. Write all of LENGTH bytes; the header of a file of SIZE bytes; behind the content of that
 * size zero bytes up to a full block; the tar's end. Each returns 0, or -errno after report().
 */
int write_all(int file, const void *data, size_t length);
int tar_write_header(int file, const char *name, off_t size);
int tar_write_padding(int file, off_t size);
int tar_write_end(int file);

#endif
