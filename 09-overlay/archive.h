/* The file that an image comes in: as it is, or from a pipe, or compressed as a whole. */
#ifndef ARCHIVE_H
#define ARCHIVE_H

/*
 * Host. Open PATH for reading at any place: the file itself, or what comes out of a pipe or of the
 * machine's own decompressor (gzip, zstd, xz, bzip2), in a file of the store that has no name.
 * Returns a descriptor, which the caller closes, or -errno after report().
 */
int archive_open(const char *path);

#endif
