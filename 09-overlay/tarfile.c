#include "tarfile.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

enum {
    BLOCK = 512,
    MOST_MEMBERS = 100000,
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
    *text = strdup(with);
}

/* The records of a pax header, "LENGTH KEY=VALUE\n" each: what is of interest goes into MEMBER. */
static bool read_pax(char *text, size_t size, struct tar_member *member)
{
    while (size > 0) {
        char *end;
        unsigned long length = strtoul(text, &end, 10); /* too large a number is larger than SIZE */
        if (*end != ' ' || length > size || length < (size_t)(end - text) + 3 ||
            text[length - 1] != '\n')
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
        if (header.name[0] == '\0' && checksum(header) == 8 * ' ')
            return 0;
        off_t size = read_number(header.size, sizeof(header.size));
        if (size < 0 || read_number(header.checksum, sizeof(header.checksum)) != checksum(header))
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

/* MEMBER, whose content is at its offset, goes into the index, and the stream behind it. */
static int add_member(struct tar_file *tar, struct tar_member *member, off_t length)
{
    const char *name = member->name;

    if (member->size > length - member->offset)
        return refuse("%s: cut off: a file in it goes on behind its end", tar->path);
    if (member->is_sparse) {
        hint("make the tar again without --sparse");
        return refuse("%s: %s in it is stored as a sparse file", tar->path, name);
    }
    if (tar->count == MOST_MEMBERS)
        return refuse("%s: more than %d files are in this tar", tar->path, MOST_MEMBERS);
    if (tar->count % 64 == 0) {
        void *more = realloc(tar->members, (tar->count + 64) * sizeof(*tar->members));
        if (more == NULL)
            return report("%s", tar->path);
        tar->members = more;
    }
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    memmove(member->name, name, strlen(name) + 1);
    if (fseeko(tar->stream, member->offset + tar_blocks(member->size), SEEK_SET) == -1)
        return report("%s", tar->path);
    if (member->link != NULL && strcmp(member->name, member->link) == 0)
        return 0; /* the same again: the one before it counts */
    tar->members[tar->count++] = *member;
    *member = (struct tar_member){.name = NULL};
    return 0;
}

/* By name, and of one name as they come. */
static int by_name(const void *a, const void *b)
{
    const struct tar_member *one = a, *other = b;
    int order = strcmp(one->name, other->name);

    return order != 0 ? order : one->offset < other->offset ? -1 : 1;
}

static int read_headers(struct tar_file *tar, off_t length)
{
    int found = 1, error = 0;

    while (found > 0 && error == 0) {
        struct tar_member member;
        found = tar_next(tar->stream, NULL, &member);
        member.offset = ftello(tar->stream);
        if (found > 0)
            error = add_member(tar, &member, length);
        else if (feof(tar->stream) && (found < 0 || member.offset == 0))
            error = refuse("%s: cut off: its end is missing", tar->path);
        else if (found < 0)
            error = refuse("%s: not a tar, or a damaged one, at byte %jd", tar->path,
                           (intmax_t)member.offset - BLOCK);
        tar_forget(&member);
    }
    if (tar->count > 0)
        qsort(tar->members, tar->count, sizeof(*tar->members), by_name);
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

int tar_open(struct tar_file *tar, const char *path, int file)
{
    struct stat status;

    *tar = (struct tar_file){.path = path, .file = file, .stream = fdopen(file, "r")};
    if (tar->stream == NULL) {
        close(file);
        return report("%s", path);
    }
    int error = fstat(file, &status) == -1 ? report("%s", path) : read_headers(tar, status.st_size);
    if (error != 0)
        tar_close(tar);
    return error;
}

void tar_close(struct tar_file *tar)
{
    for (size_t i = 0; i < tar->count; i++)
        tar_forget(&tar->members[i]);
    free(tar->members);
    fclose(tar->stream);
    *tar = (struct tar_file){.file = -1};
}

/* The last one of that name counts. */
static const struct tar_member *find_exactly(const struct tar_file *tar, const char *name)
{
    size_t low = 0, high = tar->count;

    while (low < high) { /* those before LOW come before NAME or are called so */
        size_t middle = (low + high) / 2;
        if (strcmp(tar->members[middle].name, name) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low > 0 && strcmp(tar->members[low - 1].name, name) == 0;
    return found ? &tar->members[low - 1] : NULL;
}

/*
 * PATH as seen from the directory of FROM, without "." and "..": only names, no file system. Each
 * part is copied back over what has been read, with a slash before it.
 */
static char *resolve_link(const char *from, const char *path)
{
    const char *slash = strrchr(from, '/');
    char *plain, *rest, *end, *part;

    if (asprintf(&plain, "%.*s/%s", slash ? (int)(slash - from) : 0, from, path) == -1)
        return NULL;
    rest = end = plain;
    do {
        part = strsep(&rest, "/");
        size_t length = strlen(part);
        if (strcmp(part, "..") == 0) {
            while (end > plain && *--end != '/')
                ;
        } else if (length > 0 && strcmp(part, ".") != 0) {
            memmove(end + 1, part, length);
            *end = '/';
            end += 1 + length;
        }
    } while (rest != NULL);
    *end = '\0';
    memmove(plain, plain + 1, (size_t)(end - plain)); /* the first slash goes */
    return plain;
}

const struct tar_member *tar_find(const struct tar_file *tar, const char *name)
{
    const struct tar_member *member = NULL;
    char *target = resolve_link("", name);

    for (int links = 0; target != NULL; links++) {
        member = find_exactly(tar, target);
        if (member == NULL && links > 0) /* a hard link names a path from the top */
            member = find_exactly(tar, name);
        free(target);
        if (member == NULL || member->link == NULL)
            return member;
        name = member->link;
        target = links < MOST_LINKS ? resolve_link(member->name, name) : NULL;
    }
    return NULL;
}

char *tar_read(const struct tar_file *tar, const struct tar_member *member, size_t most)
{
    size_t size = (size_t)member->size;

    if (size > most) {
        (void)refuse("%s: %s in it is larger than %zu bytes", tar->path, member->name, most);
        return NULL;
    }
    char *text = calloc(1, size + 1);
    if (text != NULL && (fseeko(tar->stream, member->offset, SEEK_SET) == -1 ||
                         fread(text, 1, size, tar->stream) < size)) {
        free(text);
        text = NULL;
    }
    if (text == NULL)
        (void)report("%s: read %s in it", tar->path, member->name);
    return text;
}

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
