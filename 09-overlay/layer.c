#include "layer.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/inside.h"
#include "tarfile.h"
#include "whiteout.h"
#include "workbox.h"

enum { BUFFER = 1 << 18, TO_ITS_END = -1 };

/* Write LENGTH bytes. False if nobody reads them any more. */
static bool write_to(int pipe, const char *bytes, ssize_t length)
{
    while (length > 0) {
        ssize_t written = write(pipe, bytes, (size_t)length);
        if (written == -1)
            return false;
        bytes += written;
        length -= written;
    }
    return true;
}

/*
 * The one loop: read, hash if it is the tar, write. SIZE bytes from OFFSET of a file, or all of a
 * pipe. When the reader has gone, the rest is hashed all the same: a wrong digest is the better
 * reason.
 */
static noreturn void pump(int input, off_t offset, off_t size, int output, struct stream *stream,
                          bool is_tar)
{
    static char bytes[BUFFER];
    struct sha256 sum;
    bool is_read = true;

    sha256_start(&sum);
    for (off_t done = 0; done != size;) {
        size_t part = size == TO_ITS_END || size - done > BUFFER ? BUFFER : (size_t)(size - done);
        ssize_t got = size == TO_ITS_END ? read(input, bytes, part)
                                         : pread(input, bytes, part, offset + done);
        if (got == -1)
            die("read a layer");
        if (got == 0)
            break;
        if (is_tar)
            sha256_add(&sum, bytes, (size_t)got);
        is_read = is_read && write_to(output, bytes, got);
        done += got;
        stream->bytes = (uint64_t)done;
    }
    sha256_end(&sum, stream->digest);
    _exit(EXIT_SUCCESS);
}

/* In the box. A process that pumps INPUT, which is closed here. Returns what reads its output. */
static int start_pump(int input, off_t offset, off_t size, struct stream *stream, bool is_tar)
{
    int ends[2];

    work_pipe(ends);
    pid_t process = fork();
    if (process == -1)
        die("fork");
    if (process == 0) {
        close(ends[0]);
        pump(input, offset, size, ends[1], stream, is_tar);
    }
    close(ends[1]);
    work_close(input);
    return ends[0];
}

/* In the box. The same for a program that decompresses. */
static int start_decompressor(const char *const *command, int input, struct worker *worker)
{
    int ends[2];

    work_pipe(ends);
    *worker = worker_start(command, input, ends[1]);
    return ends[0];
}

/*
 * Names are not looked up here, only numbers count. Attributes that overlay itself would read are
 * not for an image to set. Records of 64 KiB: read from a pipe, tar's own 10 are slow.
 */
static struct worker start_tar(bool keep_owners, int *into)
{
    static const char *command[] = {"tar",
                                    "--extract",
                                    "--file=-",
                                    "--record-size=64K",
                                    "--preserve-permissions",
                                    "--numeric-owner",
                                    "--delay-directory-restore",
                                    "--exclude=.wh.*",
                                    "--xattrs",
                                    "--xattrs-include=*",
                                    "--xattrs-exclude=trusted.*",
                                    "--xattrs-exclude=user.overlay.*",
                                    "--warning=none",
                                    NULL,
                                    NULL};
    int ends[2];

    command[sizeof(command) / sizeof(command[0]) - 2] =
        keep_owners ? "--same-owner" : "--no-same-owner";
    work_pipe(ends);
    struct worker worker = worker_start(command, ends[0], STDOUT_FILENO);
    *into = ends[1];
    return worker;
}

static int check_digest(const struct layer *layer, const struct stream *tar)
{
    if (strcmp(layer->tar_digest, tar->digest) == 0)
        return 0;
    return refuse("%s: the digest of the tar is %.12s..., and %.12s... was promised", layer->label,
                  tar->digest, layer->tar_digest);
}

/*
 * In the box. A tar as it is: file, pump, this process, tar. One that is compressed: file, pump,
 * program, pump, this process, tar. This one has an eye on the names: whiteout.h
 */
static int unpack(const struct layer *layer, const char *program, bool keep_owners)
{
    const char *const command[] = {program, "-dc", NULL};
    struct stream *file = &layer->streams[0], *tar = program != NULL ? &layer->streams[1] : file;
    struct worker decompressor = {.pid = 0};
    int into, failed = 0, status;

    int from = start_pump(STDIN_FILENO, layer->offset, layer->size, file, program == NULL);
    if (program != NULL) {
        from = start_decompressor(command, from, &decompressor);
        from = start_pump(from, 0, TO_ITS_END, tar, true);
    }
    struct worker untar = start_tar(keep_owners, &into);
    struct whiteouts whiteouts = whiteouts_pass(from, into);
    if (program != NULL)
        failed = work_wait(decompressor.pid);
    int tar_failed = work_wait(untar.pid);
    while (wait(&status) > 0)
        if (status != 0)
            return -1; /* a pump, which has said why */

    int error = failed ? worker_tell(&decompressor, layer->label, failed) : 0;
    if (error == 0)
        error = check_digest(layer, tar);
    if (error == 0 && tar_failed)
        error = worker_tell(&untar, layer->label, tar_failed);
    if (error == 0)
        error = whiteouts_make(&whiteouts);
    layer->streams[1].bytes = tar->bytes;
    return error;
}

/* May files made in a box belong to others than the user who runs the tool? */
static bool may_keep_owners(void)
{
    unsigned inside, outside, count;
    char line[64];

    first_line("/proc/self/uid_map", line, sizeof(line));
    return geteuid() == 0 && sscanf(line, "%u %u %u", &inside, &outside, &count) == 3 &&
           count >= 65536;
}

pid_t layer_unpack(const struct layer *layer, const char *directory)
{
    const char *program = tar_decompressor(layer->file, layer->offset);
    bool keep_owners = may_keep_owners();
    pid_t process = work_start(directory, layer->file, -1);

    if (process != 0)
        return process;
    exit(unpack(layer, program, keep_owners) == 0 ? EXIT_SUCCESS : EXIT_TOOL);
}
