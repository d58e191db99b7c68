/*
 * Fuzzing the reading of images: the JSON reader, and with it the manifests, indexes and
 * configurations. Reading what strangers wrote must end, within its memory, with an answer.
 *
 * With clang's libFuzzer this is a target for it; built with -DOWN_LOOP it changes its seeds by
 * itself, in the same way each time: fuzz_json SECONDS SEED...
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../../01-chroot/tool.h"
#include "../../09-overlay/image.h"
#include "../../09-overlay/json.h"
#include "../../09-overlay/source.h"
#include "../../09-overlay/tar.h"

#undef exit
#undef malloc
#undef calloc
#undef free

/* Ask for everything in it, as its readers do, and compare what must agree. */
static void ask(const struct json *json)
{
    for (size_t i = 0; i < json->count; i++) {
        const struct json_value *value = &json->values[i];
        size_t length = json_length(json, i), elements = 0;
        char *string = json_text(json, i);

        if (value->start >= value->end || value->after <= i || value->after > json->count)
            abort();
        for (size_t each = JSON_NONE; (each = json_next(json, i, each)) != JSON_NONE;)
            elements++;
        size_t member = json_member(json, i, "config");
        if (elements != length || (member != JSON_NONE && (member <= i || member >= value->after)))
            abort();
        if (string != NULL && strlen(string) > value->end - value->start)
            abort();
    }
}

/*
 * An error ends the tool, which is one try here: built with -Dexit=end_try, and the same for what
 * is allocated, because the tool leaves that to its end.
 */
static jmp_buf next_try;
static void *allocated[1 << 12];

void end_try(int status)
{
    longjmp(next_try, status);
}

static void *keep(void *memory)
{
    size_t i = 0;

    while (allocated[i] != NULL)
        if (++i == sizeof(allocated) / sizeof(allocated[0]))
            abort();
    return allocated[i] = memory;
}

void *try_malloc(size_t size)
{
    return keep(malloc(size));
}

void *try_calloc(size_t count, size_t size)
{
    return keep(calloc(count, size));
}

void try_free(void *memory)
{
    for (size_t i = 0; i < sizeof(allocated) / sizeof(allocated[0]); i++)
        if (allocated[i] == memory)
            allocated[i] = NULL;
    free(memory);
}

/* An image, whole or, with NAME, one file of it: docker's manifest, or an OCI index. */
static void read_source(const char *name, const uint8_t *data, size_t size)
{
    struct tar_header header = {.type = '0'};
    struct source source;
    int file = memfd_create("image", MFD_CLOEXEC);

    if (name != NULL) {
        snprintf(header.name, sizeof(header.name), "%s", name);
        snprintf(header.size, sizeof(header.size), "%011zo", size);
        snprintf(header.checksum, sizeof(header.checksum), "%06o", tar_checksum(header));
    }
    if (file == -1 || (name != NULL && write(file, &header, TAR_BLOCK) != TAR_BLOCK) ||
        write(file, data, size) != (ssize_t)size)
        abort();
    if (setjmp(next_try) == 0)
        source_read(&source, "fuzz", file);
    close(file);
}

static void try_all(const uint8_t *data, size_t size)
{
    struct json json;
    struct config config;
    char *text = malloc(size + 1); /* not more, so that reading too far is noticed */

    if (text == NULL)
        return;
    memcpy(text, data, size);
    text[size] = '\0';
    if (json_read(&json, text, size))
        ask(&json);
    if (config_read(&config, text, size, "fuzz") == 0) {
        char *other = config_write(&config, true);
        if (other == NULL || !json_read(&json, other, strlen(other)))
            abort();
        free(other);
    }
    read_source(NULL, data, size);
    read_source("manifest.json", data, size);
    read_source("index.json", data, size);
    free(text);
    for (size_t i = 0; i < sizeof(allocated) / sizeof(allocated[0]); i++) {
        free(allocated[i]);
        allocated[i] = NULL;
    }
}

#ifndef OWN_LOOP
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_all(data, size);
    return 0;
}
#else
enum { MAX_SIZE = 1 << 16, MAX_SEEDS = 64 };

static uint64_t state = 88172645463325252ULL;

/* Marsaglia's xorshift: the same numbers each time. */
static uint64_t next_number(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* Change a few bytes, drop or repeat a piece, or put in one that means something. */
static size_t change(uint8_t *data, size_t size)
{
    static const char *const pieces[] = {"{",         "}",      "[",    "]",    "\"",      ",",
                                         ":",         "\\u",    "null", "1e9",  "\\ud83d", "-0",
                                         "\"sha256:", "config", "/../", "\xff", "00000000"};
    for (uint64_t times = next_number() % 8 + 1; times > 0; times--) {
        size_t at = size > 0 ? next_number() % size : 0, length = next_number() % 32;
        const char *piece = pieces[next_number() % (sizeof(pieces) / sizeof(pieces[0]))];
        switch (next_number() % 4) {
        case 0:
            if (size > 0)
                data[at] = (uint8_t)next_number();
            break;
        case 1:
            length = length < size - at ? length : size - at;
            memmove(data + at, data + at + length, size - at - length);
            size -= length;
            break;
        case 2:
            length = length < size - at ? length : size - at;
            if (size + length > MAX_SIZE)
                break;
            memmove(data + at + length, data + at, size - at);
            size += length;
            break;
        default:
            length = strlen(piece);
            if (size + length > MAX_SIZE)
                break;
            memmove(data + at + length, data + at, size - at);
            memcpy(data + at, piece, length);
            size += length;
        }
    }
    return size;
}

/* What the readers report doesn't matter here. */
static void be_quiet(void)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere != -1)
        dup2(nowhere, STDERR_FILENO);
}

int main(int argc, char **argv)
{
    static uint8_t seeds[MAX_SEEDS][MAX_SIZE], data[MAX_SIZE];
    static size_t sizes[MAX_SEEDS];
    unsigned long tries = 0;
    size_t count = 0;

    if (argc < 3)
        return EXIT_FAILURE;
    for (int i = 2; i < argc && count < MAX_SEEDS; i++) {
        int file = open(argv[i], O_RDONLY | O_CLOEXEC);
        ssize_t size = file == -1 ? -1 : read(file, seeds[count], MAX_SIZE);
        if (size >= 0)
            sizes[count++] = (size_t)size;
        if (file != -1)
            close(file);
    }
    be_quiet();
    for (time_t end = time(NULL) + atoi(argv[1]); count > 0 && time(NULL) < end; tries++) {
        size_t seed = next_number() % count;
        memcpy(data, seeds[seed], sizes[seed]);
        try_all(data, change(data, sizes[seed]));
    }
    printf("%lu inputs\n", tries);
    return tries > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
#endif
