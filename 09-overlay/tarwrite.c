#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "tarfile.h"

enum { BLOCK = 512 };

int write_all(int file, const void *data, size_t length)
{
    const char *rest = data;

    while (length > 0) {
        ssize_t written = write(file, rest, length);
        if (written == -1)
            return report("write");
        rest += written;
        length -= (size_t)written;
    }
    return 0;
}

static void put_octal(char *block, size_t at, int digits, unsigned long long number)
{
    sprintf(block + at, "%0*llo", digits, number);
}

/* Offsets of the fields as tar(5) lists them. The owner is root, the time the beginning of 1970. */
static int write_block(int file, const char *name, char type, off_t size)
{
    enum { MODE = 100, UID = 108, GID = 116, SIZE = 124, MTIME = 136, CHECKSUM = 148, TYPE = 156 };
    char block[BLOCK] = "";
    unsigned sum = 0;

    memcpy(block, name, strnlen(name, 100));
    put_octal(block, MODE, 7, 0644);
    put_octal(block, UID, 7, 0);
    put_octal(block, GID, 7, 0);
    if (size < 1LL << 33) {
        put_octal(block, SIZE, 11, (unsigned long long)size);
    } else { /* larger than octal digits can tell: GNU's binary form */
        block[SIZE] = (char)0x80;
        for (int i = 0; i < 8; i++)
            block[SIZE + 11 - i] = (char)((unsigned long long)size >> (8 * i));
    }
    put_octal(block, MTIME, 11, 0);
    block[TYPE] = type;
    memcpy(block + TYPE + 101,
           "ustar\0"
           "00",
           8);
    memset(block + CHECKSUM, ' ', 8);
    for (size_t i = 0; i < sizeof(block); i++)
        sum += (unsigned char)block[i];
    sprintf(block + CHECKSUM, "%06o", sum);
    return write_all(file, block, sizeof(block));
}

int tar_write_header(int file, const char *name, off_t size)
{
    size_t length = strlen(name);
    int error = 0;

    if (length > 100) { /* GNU's header about the next one's name */
        error = write_block(file, "././@LongLink", 'L', (off_t)length + 1);
        if (error == 0)
            error = write_all(file, name, length + 1);
        if (error == 0)
            error = tar_write_padding(file, (off_t)length + 1);
    }
    return error == 0 ? write_block(file, name, '0', size) : error;
}

int tar_write_padding(int file, off_t size)
{
    static const char zeros[BLOCK];
    return write_all(file, zeros, (size_t)((BLOCK - size % BLOCK) % BLOCK));
}

int tar_write_end(int file)
{
    static const char zeros[2 * BLOCK];
    return write_all(file, zeros, sizeof(zeros));
}
