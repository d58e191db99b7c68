/* The header of a file in a tar: tar(5). The file follows, filled up to whole blocks. */
#ifndef TAR_H
#define TAR_H

#include <string.h>

enum { TAR_BLOCK = 512 };

struct tar_header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
    char magic[6], version[2], owner[64], device[16], prefix[155], rest[12];
};

/* The sum of its bytes, with blanks in the place of the checksum itself. */
static inline unsigned tar_checksum(struct tar_header header)
{
    unsigned sum = 0;

    memset(header.checksum, ' ', sizeof(header.checksum));
    for (size_t i = 0; i < sizeof(header); i++)
        sum += ((const unsigned char *)&header)[i];
    return sum;
}

#endif
