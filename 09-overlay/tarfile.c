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
#include "archive.h"

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

off_t tar_blocks(off_t size)
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

static void replace(char **text, const char *with)
{
    free(*text);
    *text = strdup(with);
}

/* The records of a pax header, "LENGTH KEY=VALUE\n" each: what is of interest goes into MEMBER. */
static bool read_pax(char *text, size_t size, struct tar_member *member)
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
        if (strncmp(key, "GNU.sparse.", strlen("GNU.sparse.")) == 0)
            member->is_sparse = true;
        if (strcmp(key, "path") == 0 || strcmp(key, "GNU.sparse.name") == 0) {
            replace(&member->name, value);
        } else if (strcmp(key, "linkpath") == 0) {
            replace(&member->link, value);
        } else if (strcmp(key, "size") == 0) {
            unsigned long long number = strtoull(value, &end, 10);
            if (end == value || *end != '\0' || number > INT64_MAX / 2)
                return false;
            member->size = (off_t)number;
        }
        text += length;
        size -= length;
    }
    return true;
}

/* Read SIZE bytes, which go to COPY as well; returns how many there were. */
static size_t take(FILE *stream, FILE *copy, void *data, size_t size)
{
    size_t got = fread(data, 1, size, stream);

    if (copy != NULL)
        (void)fwrite(data, 1, got, copy);
    return got;
}

/* Take in a header that tells about the next one. False if it is malformed. */
static bool read_extra(FILE *stream, FILE *copy, char type, off_t size, struct tar_member *member)
{
    bool is_name = type == 'L' || type == 'K', good = false;

    if (size > (is_name ? LONGEST_NAME : LONGEST_PAX))
        return false;
    char *text = calloc(1, (size_t)tar_blocks(size) + 1);
    if (text != NULL &&
        take(stream, copy, text, (size_t)tar_blocks(size)) == (size_t)tar_blocks(size)) {
        text[size] = '\0';
        good = is_name || type == 'g' || read_pax(text, (size_t)size, member);
        if (is_name) /* 'g' is about all that follow, and of no interest here */
            replace(type == 'L' ? &member->name : &member->link, text);
    }
    free(text);
    return good;
}

/* Complete MEMBER from its own header: what the headers before it said counts more. */
static bool complete(FILE *stream, FILE *copy, const struct header *header, off_t size,
                     struct tar_member *member)
{
    enum { MORE = 482 - 345, MORE_STILL = 504 }; /* where GNU's sparse map says that it goes on */
    char type = header->type, more[BLOCK];
    bool is_link = type == '1' || type == '2';
    bool has_prefix = memcmp(header->magic, "ustar", 6) == 0 && header->prefix[0] != '\0';

    if (member->name == NULL &&
        asprintf(&member->name, "%.*s%s%.*s", has_prefix ? (int)sizeof(header->prefix) : 0,
                 header->prefix, has_prefix ? "/" : "", (int)sizeof(header->name),
                 header->name) == -1)
        member->name = NULL;
    if (is_link && member->link == NULL)
        member->link = strndup(header->link, sizeof(header->link));
    if (!is_link) {
        free(member->link);
        member->link = NULL;
    }
    if (type >= '1' && type <= '6') /* links, devices, directories have no content */
        member->size = 0;
    else if (member->size < 0)
        member->size = size;
    if (type == 'S') {
        member->is_sparse = true;
        for (bool goes_on = header->prefix[MORE]; goes_on; goes_on = more[MORE_STILL])
            if (take(stream, copy, more, BLOCK) < BLOCK)
                return false;
    }
    return member->name != NULL && (!is_link || member->link != NULL);
}

int tar_next(FILE *stream, FILE *copy, struct tar_member *member)
{
    struct header header;

    *member = (struct tar_member){.size = -1};
    for (bool first = true;; first = false) {
        size_t got = take(stream, copy, &header, BLOCK);
        if (got < BLOCK)
            return first && got == 0 && feof(stream) ? 0 : -1;
        if (header.name[0] == '\0' && checksum(&header) == 8 * ' ')
            return 0;
        off_t size = read_number(header.size, sizeof(header.size));
        if (size < 0 || read_number(header.checksum, sizeof(header.checksum)) != checksum(&header))
            return -1;
        if (header.type == '\0' || strchr("xXgLK", header.type) == NULL)
            return complete(stream, copy, &header, size, member) ? 1 : -1;
        if (!read_extra(stream, copy, header.type, size, member))
            return -1;
    }
}

void tar_forget(struct tar_member *member)
{
    free(member->name);
    free(member->link);
}

/* MEMBER's strings become the entry's. */
static int add_entry(struct tar_file *tar, struct tar_member *member, off_t offset, off_t length)
{
    const char *name = member->name;

    if (member->size > length - offset)
        return refuse("%s: cut off: a file in it goes on behind its end", tar->path);
    if (member->is_sparse) {
        hint("make the tar again without --sparse");
        return refuse("%s: %s in it is stored as a sparse file", tar->path, name);
    }
    if (tar->count == MOST_ENTRIES)
        return refuse("%s: more than %d files are in this tar", tar->path, MOST_ENTRIES);
    if (tar->count % 64 == 0) {
        void *more = realloc(tar->entries, (tar->count + 64) * sizeof(*tar->entries));
        if (more == NULL)
            return report("%s", tar->path);
        tar->entries = more;
    }
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    memmove(member->name, name, strlen(name) + 1);
    tar->entries[tar->count++] = (struct tar_entry){
        .name = member->name, .link = member->link, .offset = offset, .size = member->size};
    *member = (struct tar_member){.name = NULL};
    return 0;
}

static int read_headers(struct tar_file *tar, off_t length)
{
    int found = 1, error = 0;

    while (found > 0 && error == 0) {
        struct tar_member member;
        found = tar_next(tar->stream, NULL, &member);
        off_t at = ftello(tar->stream);
        if (found > 0)
            error = add_entry(tar, &member, at, length);
        else if (feof(tar->stream) && (found < 0 || at == 0))
            error = refuse("%s: cut off: its end is missing", tar->path);
        else if (found < 0)
            error = refuse("%s: not a tar, or a damaged one, at byte %jd", tar->path,
                           (intmax_t)at - BLOCK);
        if (found > 0 && error == 0 &&
            fseeko(tar->stream, at + tar_blocks(tar->entries[tar->count - 1].size), SEEK_SET) == -1)
            error = report("%s", tar->path);
        tar_forget(&member);
    }
    return error;
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

    *tar = (struct tar_file){.path = path, .file = archive_open(path)};
    if (tar->file < 0)
        return tar->file;
    tar->stream = fdopen(tar->file, "r");
    int error = tar->stream == NULL || fstat(tar->file, &status) == -1
                    ? report("%s", path)
                    : read_headers(tar, status.st_size);
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
    fclose(tar->stream);
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
