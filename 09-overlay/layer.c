#include "layer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/program.h"
#include "../01-chroot/tool.h"
#include "pump.h"
#include "tarfile.h"
#include "workbox.h"

/*
 * Names are not looked up here, only numbers count. Attributes that overlay itself would read are
 * not for an image to set. Records of 64 KiB: read from a pipe, tar's own 10 are slow.
 */
static struct worker_box start_tar(const struct layer *layer, int input)
{
    const char *const command[] = {"tar",
                                   "--extract",
                                   "--file=-",
                                   "--record-size=64K",
                                   "--preserve-permissions",
                                   "--numeric-owner",
                                   work_keeps_owners() ? "--same-owner" : "--no-same-owner",
                                   "--delay-directory-restore",
                                   "--exclude=.wh.*",
                                   "--xattrs",
                                   "--xattrs-include=*",
                                   "--xattrs-exclude=trusted.*",
                                   "--xattrs-exclude=user.overlay.*",
                                   "--warning=none",
                                   NULL};
    const struct work work = {.command = command,
                              .label = layer->label,
                              .directory = layer->directory,
                              .whiteouts = true,
                              .input = input,
                              .output = -1};

    return work_start(&work);
}

static struct worker_box start_decompressor(const struct layer *layer, const char *program,
                                            int input, int output)
{
    const char *const command[] = {program, "-dc", NULL};
    const struct work work = {
        .command = command, .label = layer->label, .input = input, .output = output};

    return work_start(&work);
}

static int compare(const struct layer *layer, const char *what, const char *promised,
                   const char *found)
{
    if (promised[0] == '\0' || strcmp(promised, found) == 0)
        return 0;
    return refuse("%s: the digest of %s is %.12s..., and %.12s... was promised", layer->label, what,
                  found, promised);
}

/* The layer's bytes as the file has them: to OUTPUT, and to SECOND for a digest. */
static pid_t pump_file(const struct layer *layer, int output, int second)
{
    return pump_start(&(struct pump){.input = layer->file,
                                     .offset = layer->offset,
                                     .size = layer->size,
                                     .output = output,
                                     .second = second,
                                     .progress = layer->read});
}

/* A tar as it is: file -> tar, digest. */
static int unpack_plain(const struct layer *layer, char tar_digest[SHA256_HEX + 1])
{
    struct sha256 sum;
    int to_tar[2];
    int error = pump_pipe(to_tar);

    if (error == 0)
        error = sha256_start(&sum);
    if (error != 0)
        return error;
    struct worker_box tar = start_tar(layer, to_tar[0]);
    pid_t pump = pump_file(layer, to_tar[1], sum.input);
    if (pump < 0)
        return pump;
    close(to_tar[0]);
    close(to_tar[1]);
    int failed = work_wait(&tar);
    if (process_wait(pump) != 0)
        return -EIO; /* told by it */
    error = sha256_end(&sum, tar_digest);
    if (error == 0) /* first of all: of damaged bytes tar may say anything */
        error = compare(layer, "the file", layer->digest, tar_digest);
    return error == 0 && failed ? work_tell(&tar) : error;
}

/* One that is compressed: file -> decompressor, digest; decompressor -> tar, digest. */
static int unpack_compressed(const struct layer *layer, const char *program,
                             char tar_digest[SHA256_HEX + 1])
{
    int to_program[2], from_program[2], to_tar[2];
    struct sha256 file_sum, tar_sum;
    char file_digest[SHA256_HEX + 1];

    if (pump_pipe(to_program) != 0 || pump_pipe(from_program) != 0 || pump_pipe(to_tar) != 0 ||
        sha256_start(&file_sum) != 0 || sha256_start(&tar_sum) != 0)
        return -EIO;
    struct worker_box unpacker = start_decompressor(layer, program, to_program[0], from_program[1]);
    struct worker_box tar = start_tar(layer, to_tar[0]);
    pid_t to_unpacker = pump_file(layer, to_program[1], file_sum.input);
    pid_t from_unpacker = pump_start(&(struct pump){.input = from_program[0],
                                                    .offset = -1,
                                                    .output = to_tar[1],
                                                    .second = tar_sum.input,
                                                    .progress = layer->unpacked});
    if (to_unpacker < 0 || from_unpacker < 0)
        return -EAGAIN;
    const int ours[] = {to_program[0],   to_program[1], from_program[0],
                        from_program[1], to_tar[0],     to_tar[1]};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        close(ours[i]);
    int unpacker_failed = work_wait(&unpacker), tar_failed = work_wait(&tar);
    if (process_wait(to_unpacker) != 0 || process_wait(from_unpacker) != 0)
        return -EIO;
    int error = sha256_end(&file_sum, file_digest);
    if (error == 0)
        error = sha256_end(&tar_sum, tar_digest);
    if (error == 0)
        error = compare(layer, "the file", layer->digest, file_digest);
    if (error == 0 && unpacker_failed)
        error = work_tell(&unpacker);
    return error == 0 && tar_failed ? work_tell(&tar) : error;
}

/* Is the program there? The box has the same ones. */
static int check_program(const struct layer *layer, const char *program)
{
    char path[4096];

    if (program_find(program, path, sizeof(path)))
        return 0;
    hint("install the program %s", program);
    return refuse("%s: needs %s, which this machine has not", layer->label, program);
}

int layer_unpack(const struct layer *layer, char tar_digest[SHA256_HEX + 1])
{
    const char *program = tar_decompressor(layer->file, layer->offset);
    int error = check_program(layer, program ? program : "tar");

    if (error == 0 && program == NULL)
        error = unpack_plain(layer, tar_digest);
    else if (error == 0)
        error = unpack_compressed(layer, program, tar_digest);
    if (error != 0)
        return error;
    return compare(layer, "the tar", layer->tar_digest, tar_digest);
}
