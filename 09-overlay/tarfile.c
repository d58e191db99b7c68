#include "tarfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

enum {
    BLOCK = 512,
    MOST_ENTRIES = 100000,
    LONGEST_NAME = 4096,
    LONGEST_PAX = 1 << 20,
    MOST_LINKS = 8
};

/* The header of a member, as POSIX ustar and GNU have it. */
struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100],
        magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

/* What headers of their own say about the member that follows them. */
struct extra {
    char *name, *link;
    off_t size; /* -1: nothing */
};

static off_t round_up(off_t size)
{
    return (size + BLOCK - 1) / BLOCK * BLOCK;
}

/* A number in octal digits, or with its first bit set in plain binary. -1 if it is neither. */
static off_t read_number(const char *field, size_t size)
{
    uint64_t number = 0;

    if ((unsigned char)field[0] == 0x80) {
        for (size_t i = 1; i < size; i++) {
            if (number >> 48)
                return -1;
            number = number << 8 | (unsigned char)field[i];
        }
        return (off_t)number;
    }
    size_t i = 0;
    while (i < size && field[i] == ' ')
        i++;
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
        number = number << 3 | (uint64_t)(field[i] - '0');
    return i < size && field[i] != ' ' && field[i] != '\0' ? -1 : (off_t)number;
}

static unsigned checksum(const struct header *header)
{
    const unsigned char *bytes = (const unsigned char *)header;
    unsigned sum = 0;

    for (size_t i = 0; i < sizeof(*header); i++)
        sum += i >= offsetof(struct header, checksum) && i < offsetof(struct header, type)
                   ? ' '
                   : bytes[i];
    return sum;
}

static bool read_at(const struct tar_file *tar, void *data, size_t size, off_t offset)
{
    size_t have = 0;
    while (have < size) {
        ssize_t got = pread(tar->file, (char *)data + have, size - have, offset + (off_t)have);
        if (got <= 0)
            return false;
        have += (size_t)got;
    }
    return true;
}

static char *read_text(const struct tar_file *tar, off_t offset, off_t size)
{
    char *text = calloc(1, (size_t)size + 1);
    if (text != NULL && !read_at(tar, text, (size_t)size, offset)) {
        free(text);
        return NULL;
    }
    return text;
}

/* The records of a pax header, "LENGTH KEY=VALUE\n" each: path, linkpath and size are of interest.
 */
static bool read_pax(char *text, size_t size, struct extra *extra)
{
    while (size > 0) {
        char *end;
        errno = 0;
        unsigned long length = strtoul(text, &end, 10);
        if (errno != 0 || end == text || *end != ' ' || length > size ||
            length < (size_t)(end - text) + 3 || text[length - 1] != '\n')
            return false;
        text[length - 1] = '\0';
        char *key = end + 1, *value = strchr(key, '=');
        if (value == NULL)
            return false;
        *value++ = '\0';
        if (strcmp(key, "path") == 0) {
            free(extra->name);
            extra->name = strdup(value);
        } else if (strcmp(key, "linkpath") == 0) {
            free(extra->link);
            extra->link = strdup(value);
        } else if (strcmp(key, "size") == 0) {
            unsigned long long number = strtoull(value, &end, 10);
            if (end == value || *end != '\0' || number > INT64_MAX / 2)
                return false;
            extra->size = (off_t)number;
        }
        text += length;
        size -= length;
    }
    return true;
}

/* Take in a header that tells about the next one. False if it is malformed. */
static bool read_extra(const struct tar_file *tar, char type, off_t offset, off_t size,
                       struct extra *extra)
{
    if (type == 'g') /* about all that follow: of no interest here */
        return true;
    if (size > (type == 'x' ? LONGEST_PAX : LONGEST_NAME))
        return false;
    char *text = read_text(tar, offset, size);
    if (text == NULL)
        return false;
    bool good = true;
    if (type == 'L') {
        free(extra->name);
        extra->name = text;
        return true;
    }
    if (type == 'K') {
        free(extra->link);
        extra->link = text;
        return true;
    }
    good = read_pax(text, (size_t)size, extra);
    free(text);
    return good;
}

static char *plain_name(const char *name)
{
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    return strdup(name);
}

static int add_entry(struct tar_file *tar, const struct header *header, struct extra *extra,
                     off_t offset, off_t size)
{
    char name[sizeof(header->prefix) + sizeof(header->name) + 2];
    char link[sizeof(header->link) + 1];
    bool is_link = header->type == '1' || header->type == '2';

    if (tar->count == MOST_ENTRIES)
        return refuse("%s: more than %d files are in this tar", tar->path, MOST_ENTRIES);
    if (tar->count % 64 == 0) {
        void *more = realloc(tar->entries, (tar->count + 64) * sizeof(*tar->entries));
        if (more == NULL)
            return report("%s", tar->path);
        tar->entries = more;
    }
    bool has_prefix = memcmp(header->magic, "ustar", 6) == 0 && header->prefix[0] != '\0';
    snprintf(name, sizeof(name), "%.*s%s%.*s", has_prefix ? (int)sizeof(header->prefix) : 0,
             header->prefix, has_prefix ? "/" : "", (int)sizeof(header->name), header->name);
    snprintf(link, sizeof(link), "%.*s", (int)sizeof(header->link), header->link);
    struct tar_entry *entry = &tar->entries[tar->count];
    *entry = (struct tar_entry){.offset = offset, .size = size};
    entry->name = plain_name(extra->name ? extra->name : name);
    entry->link = is_link ? strdup(extra->link ? extra->link : link) : NULL;
    tar->count++;
    return entry->name == NULL || (is_link && entry->link == NULL) ? report("%s", tar->path) : 0;
}

static int read_headers(struct tar_file *tar, off_t length, struct extra *extra)
{
    struct header header;
    off_t at = 0;

    for (;;) {
        if (!read_at(tar, &header, sizeof(header), at))
            return refuse("%s: cut off: its end is missing", tar->path);
        at += BLOCK;
        if (header.name[0] == '\0' && checksum(&header) == 8 * ' ')
            return 0;
        off_t size = read_number(header.size, sizeof(header.size));
        if (read_number(header.checksum, sizeof(header.checksum)) != checksum(&header) ||
            memcmp(header.magic, "ustar", 5) != 0 || size < 0)
            return refuse("%s: not a tar, or a damaged one, at byte %jd", tar->path,
                          (intmax_t)at - BLOCK);
        bool about_next = header.type != '\0' && strchr("xgLK", header.type) != NULL;
        if (!about_next && extra->size >= 0)
            size = extra->size;
        if (!about_next && header.type != '0' && header.type != '\0' && header.type != '7')
            size = 0; /* directories and links have no content */
        if (size > length - at)
            return refuse("%s: cut off: a file in it goes on behind its end", tar->path);
        if (about_next) {
            if (!read_extra(tar, header.type, at, size, extra))
                return refuse("%s: a damaged tar, at byte %jd", tar->path, (intmax_t)at);
        } else {
            int error = add_entry(tar, &header, extra, at, size);
            if (error != 0)
                return error;
            free(extra->name);
            free(extra->link);
            *extra = (struct extra){.size = -1};
        }
        at += round_up(size);
    }
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

int tar_open(struct tar_file *tar, const char *path)
{
    struct stat status;
    struct extra extra = {.size = -1};
    const char *program;

    *tar = (struct tar_file){.path = path, .file = open(path, O_RDONLY | O_CLOEXEC)};
    if (tar->file == -1 || fstat(tar->file, &status) == -1)
        return report("%s", path);
    int error = 0;
    if (!S_ISREG(status.st_mode)) {
        error = refuse("%s: not a file, which the tar of an image has to be", path);
    } else if ((program = tar_decompressor(tar->file, 0)) != NULL) {
        hint("unpack it first: %s -dc %s > image.tar", program, path);
        error = refuse("%s: is compressed as a whole", path);
    } else {
        error = read_headers(tar, status.st_size, &extra);
    }
    free(extra.name);
    free(extra.link);
    if (error != 0)
        tar_close(tar);
    return error;
}

void tar_close(struct tar_file *tar)
{
    for (size_t i = 0; i < tar->count; i++) {
        free(tar->entries[i].name);
        free(tar->entries[i].link);
    }
    free(tar->entries);
    close(tar->file);
    *tar = (struct tar_file){.file = -1};
}

static const struct tar_entry *find_exactly(const struct tar_file *tar, const char *name)
{
    for (size_t i = tar->count; i > 0; i--) { /* the last one of a name counts */
        const struct tar_entry *entry = &tar->entries[i - 1];
        bool same_again = entry->link != NULL && strcmp(entry->link, name) == 0;
        if (strcmp(entry->name, name) == 0 && !same_again)
            return entry;
    }
    return NULL;
}

/* PATH as seen from the directory of FROM, without "." and "..": only names, no file system. */
static char *resolve_link(const char *from, const char *path)
{
    char *joined = NULL, *plain = NULL, *rest, *part;
    const char *slash = strrchr(from, '/');

    if (asprintf(&joined, "%.*s/%s", slash ? (int)(slash - from) : 0, from, path) == -1)
        return NULL;
    plain = calloc(1, strlen(joined) + 2);
    for (rest = joined; plain != NULL && (part = strsep(&rest, "/")) != NULL;) {
        if (strcmp(part, "..") == 0) {
            char *last = strrchr(plain, '/');
            *(last ? last : plain) = '\0';
        } else if (part[0] != '\0' && strcmp(part, ".") != 0) {
            strcat(strcat(plain, plain[0] ? "/" : ""), part);
        }
    }
    free(joined);
    return plain;
}

const struct tar_entry *tar_find(const struct tar_file *tar, const char *name)
{
    char *target = resolve_link("", name);
    const struct tar_entry *entry = target ? find_exactly(tar, target) : NULL;

    for (int links = 0; entry != NULL && entry->link != NULL; links++) {
        free(target);
        target = links < MOST_LINKS ? resolve_link(entry->name, entry->link) : NULL;
        const struct tar_entry *next = target ? find_exactly(tar, target) : NULL;
        if (next == NULL && links < MOST_LINKS) /* a hard link names a path from the top */
            next = find_exactly(tar, entry->link);
        entry = next;
    }
    free(target);
    return entry;
}

char *tar_read(const struct tar_file *tar, const struct tar_entry *entry, size_t most)
{
    if ((uintmax_t)entry->size > most) {
        (void)refuse("%s: %s in it is larger than %zu bytes", tar->path, entry->name, most);
        return NULL;
    }
    char *text = read_text(tar, entry->offset, entry->size);
    if (text == NULL)
        (void)report("%s: read %s in it", tar->path, entry->name);
    return text;
}
