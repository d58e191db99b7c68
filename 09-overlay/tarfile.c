#define _GNU_SOURCE
#include "tarfile.h"

#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

enum { BLOCK = 512, MAX_EXTRA = 1 << 20, MAX_LINKS = 8 };
#define MAX_SIZE                                                                                   \
    ((uint64_t)1 << 48) /* of a file: sums of it and an offset are far from overflow               \
                         */

/* The header of a member, as POSIX ustar and GNU have it. */
struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100],
        magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

off_t tar_blocks(off_t size)
{
    return (size + BLOCK - 1) / BLOCK * BLOCK;
}

/* A number in digits of BASE, or behind a byte 0x80 in plain binary. -1 if it is neither. */
static off_t read_number(const char *field, size_t size, int base)
{
    char text[32] = "", *end = text;
    uint64_t number = 0;

    if ((unsigned char)field[0] == 0x80) {
        for (size_t i = 1; i < size && number < MAX_SIZE; i++)
            number = number << 8 | (unsigned char)field[i];
    } else {
        snprintf(text, sizeof(text), "%.*s", (int)size, field);
        number = strtoull(text, &end, base);
    }
    return number < MAX_SIZE && (*end == ' ' || *end == '\0') ? (off_t)number : -1;
}

/* The sum of all bytes, those of the checksum itself taken as blanks. */
static unsigned checksum(struct header header)
{
    const unsigned char *bytes = (const unsigned char *)&header;
    unsigned sum = 0;

    memset(header.checksum, ' ', sizeof(header.checksum));
    for (size_t i = 0; i < sizeof(header); i++)
        sum += bytes[i];
    return sum;
}

static void replace(char **text, const char *with)
{
    free(*text);
    if ((*text = strdup(with)) == NULL)
        die("read a tar");
}

/* The records of a pax header, "LENGTH KEY=VALUE\n" each: what is of interest goes into MEMBER. */
static bool read_pax(char *text, size_t size, struct tar_member *member)
{
    while (size > 0) {
        char *key;
        size_t length = strtoul(text, &key, 10); /* too large a number is larger than SIZE */
        if (*key != ' ' || length > size || length < (size_t)(key - text) + 2 ||
            text[length - 1] != '\n')
            return false;
        text[length - 1] = '\0';
        char *value = strchr(++key, '=');
        if (value == NULL)
            return false;
        *value++ = '\0';
        if (strcmp(key, "path") == 0)
            replace(&member->name, value);
        else if (strcmp(key, "linkpath") == 0)
            replace(&member->link, value);
        else if (strcmp(key, "size") == 0 &&
                 (member->size = read_number(value, strlen(value), 10)) == -1)
            return false;
        text += length;
        size -= length;
    }
    return true;
}

/* Read SIZE bytes, which go to COPY as well. False if there aren't so many. */
static bool take(FILE *stream, FILE *copy, void *data, size_t size)
{
    size_t got = fread(data, 1, size, stream);

    if (copy != NULL)
        (void)fwrite(data, 1, got, copy);
    return got == size;
}

/* The content of a header of TYPE that tells about the next one. False if it is malformed. */
static bool read_extra(FILE *stream, FILE *copy, char type, off_t size, struct tar_member *member)
{
    char *text = size <= MAX_EXTRA ? calloc(1, (size_t)tar_blocks(size) + 1) : NULL;
    bool good = text != NULL && take(stream, copy, text, (size_t)tar_blocks(size));

    if (good)
        text[size] = '\0';
    if (good && type == 'x')
        good = read_pax(text, (size_t)size, member);
    else if (good && type != 'g') /* that is about all that follow, and of no interest here */
        replace(type == 'L' ? &member->name : &member->link, text);
    free(text);
    return good;
}

/* Complete MEMBER from its own header: what the headers before it said counts more. */
static bool complete(FILE *stream, FILE *copy, const struct header *header, off_t size,
                     struct tar_member *member)
{
    enum { MORE = 482 - 345, MORE_STILL = 504 }; /* where GNU's sparse map says that it goes on */
    bool has_prefix = memcmp(header->magic, "ustar", 6) == 0 && header->prefix[0] != '\0';
    bool is_link = header->type == '1' || header->type == '2', good = true;
    char text[512], map[BLOCK];

    snprintf(text, sizeof(text), "%.*s%s%.*s", has_prefix ? (int)sizeof(header->prefix) : 0,
             header->prefix, has_prefix ? "/" : "", (int)sizeof(header->name), header->name);
    if (member->name == NULL)
        replace(&member->name, text);
    snprintf(text, sizeof(text), "%.*s", (int)sizeof(header->link), header->link);
    if (is_link && member->link == NULL)
        replace(&member->link, text);
    if (header->type >= '1' && header->type <= '6') /* links, devices, directories: no content */
        member->size = 0;
    else if (member->size < 0)
        member->size = size;
    if (header->type == 'S')
        for (bool more = header->prefix[MORE]; more && good; more = map[MORE_STILL])
            good = take(stream, copy, map, BLOCK);
    member->type = header->type;
    return good;
}

int tar_next(FILE *stream, FILE *copy, struct tar_member *member)
{
    struct header header;

    *member = (struct tar_member){.size = -1};
    while (take(stream, copy, &header, BLOCK)) {
        off_t size = read_number(header.size, sizeof(header.size), 8);
        if (header.name[0] == '\0' && checksum(header) == 8 * ' ')
            return 0;
        if (size < 0 ||
            read_number(header.checksum, sizeof(header.checksum), 8) != checksum(header))
            return -1;
        if (header.type == '\0' || strchr("xgLK", header.type) == NULL)
            return complete(stream, copy, &header, size, member) ? 1 : -1;
        if (!read_extra(stream, copy, header.type, size, member))
            return -1;
    }
    return -1;
}

void tar_forget(struct tar_member *member)
{
    free(member->name);
    free(member->link);
}

/* --- the index ------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tar_member *)a)->name, ((const struct tar_member *)b)->name);
}

static void drop(void *member)
{
    tar_forget(member);
    free(member);
}

static const char *without_dot(const char *name)
{
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    return name;
}

/* A hard link names a path from the top, a symbolic one from its own directory: ../ID/layer.tar */
static void resolve_link(struct tar_member *member)
{
    const char *target = without_dot(member->link), *slash = strrchr(member->name, '/');
    int length = member->type == '2' && slash != NULL ? (int)(slash + 1 - member->name) : 0;
    char *whole;

    for (; length > 0 && strncmp(target, "../", 3) == 0; target += 3)
        while (--length > 0 && member->name[length - 1] != '/')
            ;
    if (asprintf(&whole, "%.*s%s", length, member->name, target) == -1)
        die("read a tar");
    free(member->link);
    member->link = whole;
}

/* MEMBER becomes the index's. Of one name the last counts, unless it says: the same again. */
static int add_member(struct tar_file *tar, struct tar_member *member)
{
    const char *name = without_dot(member->name);
    int error = 0;

    memmove(member->name, name, strlen(name) + 1);
    if (member->link != NULL)
        resolve_link(member);
    member->offset = ftello(tar->stream);
    if (fseeko(tar->stream, member->offset + tar_blocks(member->size), SEEK_SET) == -1)
        error = report("%s", tar->path);
    if (error != 0 || (member->link != NULL && strcmp(member->name, member->link) == 0)) {
        drop(member);
        return error;
    }
    struct tar_member **node = tsearch(member, &tar->members, by_name);
    if (node == NULL)
        die("%s", tar->path);
    if (*node != member)
        drop(*node);
    *node = member;
    return 0;
}

int tar_open(struct tar_file *tar, const char *path, int file)
{
    int found = 1, error = 0;

    *tar = (struct tar_file){.path = path, .file = file, .stream = fdopen(file, "r")};
    while (found > 0 && error == 0) {
        struct tar_member *member = malloc(sizeof(*member));
        if (member == NULL || tar->stream == NULL)
            die("%s", path);
        found = tar_next(tar->stream, NULL, member);
        if (found > 0)
            error = add_member(tar, member);
        else
            drop(member);
    }
    if (found < 0 && feof(tar->stream))
        error = refuse("%s: cut off: its end is missing", path);
    else if (found < 0)
        error = refuse("%s: not a tar, or a damaged one, at byte %jd", path,
                       (intmax_t)ftello(tar->stream) - BLOCK);
    if (error != 0)
        tar_close(tar);
    return error;
}

void tar_close(struct tar_file *tar)
{
    tdestroy(tar->members, drop);
    fclose(tar->stream);
}

const struct tar_member *tar_find(const struct tar_file *tar, const char *name)
{
    struct tar_member key = {.name = (char *)without_dot(name)}, **found;

    for (int links = 0; links <= MAX_LINKS; links++) {
        found = tfind(&key, &tar->members, by_name);
        if (found == NULL || (*found)->link == NULL)
            return found != NULL ? *found : NULL;
        key.name = (*found)->link;
    }
    return NULL;
}

const char *tar_decompressor(int file, off_t offset)
{
    static const struct {
        const char *program, *start;
    } kinds[] = {{"gzip", "\x1f\x8b"},
                 {"zstd", "\x28\xb5\x2f\xfd"},
                 {"xz", "\xfd\x37zXZ"},
                 {"bzip2", "BZh"}};
    char start[8] = "";

    if (pread(file, start, sizeof(start), offset) < (ssize_t)sizeof(start))
        return NULL;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strncmp(start, kinds[i].start, strlen(kinds[i].start)) == 0)
            return kinds[i].program;
    return NULL;
}

/* --- writing --------------------------------------------------------------------------------- */

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

/* The owner is root, the time the beginning of 1970. */
static int write_block(int file, const char *name, char type, off_t size)
{
    struct header header = {.mode = "0000644",
                            .uid = "0000000",
                            .gid = "0000000",
                            .mtime = "00000000000",
                            .type = type,
                            .magic = "ustar",
                            .version = "00"};

    memcpy(header.name, name, strnlen(name, sizeof(header.name)));
    for (size_t i = 0; i < 8; i++) /* GNU's binary form, for what octal digits can't tell */
        header.size[11 - i] = (char)((uint64_t)size >> 8 * i);
    header.size[0] = (char)0x80;
    if (size < 1LL << 33)
        snprintf(header.size, sizeof(header.size), "%011llo", (unsigned long long)size);
    snprintf(header.checksum, sizeof(header.checksum), "%06o", checksum(header));
    return write_all(file, &header, sizeof(header));
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
