/*
 * The outer tar of an image: an index of what lies where, so that its layers can be read in place
 * without unpacking it first; and the few headers that writing one takes. tar(5)
 */
#ifndef TARFILE_H
#define TARFILE_H

#include <stddef.h>
#include <sys/types.h>

struct tar_entry {
    char *name; /* without a leading "./" */
    char *link; /* what a symbolic or hard link names; NULL for a file */
    off_t offset, size;
};

struct tar_file {
    const char *path;
    int file;
    struct tar_entry *entries;
    size_t count;
};

/*
 * Host. Open the tar at PATH and read its headers. Returns 0, and the caller calls tar_close(); or
 * a negative errno after saying what is wrong: not a tar, cut off, compressed.
 */
int tar_open(struct tar_file *tar, const char *path);
void tar_close(struct tar_file *tar);

/*
 * Host. The program that decompresses what begins at OFFSET of a file, as its first bytes tell:
 * gzip, zstd, xz or bzip2. NULL: it is a plain tar.
 */
const char *tar_decompressor(int file, off_t offset);

/* Either side. The file called NAME, through links in the tar. NULL if there is none. */
const struct tar_entry *tar_find(const struct tar_file *tar, const char *name);

/*
 * Host. The content of an entry of at most MOST bytes, with a zero byte behind it, to be freed.
 * NULL after saying what is wrong.
 */
char *tar_read(const struct tar_file *tar, const struct tar_entry *entry, size_t most);

/* Host. Write the header of a file of SIZE bytes. Returns 0, or -errno after saying what is wrong.
 */
int tar_write_header(int file, const char *name, off_t size);

/* Host. Zero bytes up to the next full block behind SIZE bytes of content; returns as above. */
int tar_write_padding(int file, off_t size);

/* Host. The end of a tar: two empty blocks; returns as above. */
int tar_write_end(int file);

/* Host. Write all of LENGTH bytes; returns as above. */
int write_all(int file, const void *data, size_t length);

#endif
