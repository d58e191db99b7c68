#include "pack.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "pump.h"
#include "tarfile.h"
#include "whiteout.h"
#include "workbox.h"

/*
 * One byte of a name in the lines for tar's --exclude-from. They are patterns, and blanks at their
 * ends are dropped. "[ ]" is a blank that stays; a byte that is none of all the others, a new line.
 */
static void write_byte(FILE *excluded, char byte)
{
    if (byte == '\n')
        fputs("[!\001-\011\013-\377]", excluded);
    else if (isspace((unsigned char)byte))
        fprintf(excluded, "[%c]", byte);
    else
        fprintf(excluded, "%s%c", strchr("*?[\\", byte) ? "\\" : "", byte);
}

/* Files ".wh.NAME" come first in the tar; the devices NAME that they stand for are not to be in it.
 */
static int write_whiteouts(const char *names, size_t length, int tar, FILE *excluded)
{
    static const char mark[] = ".wh.";
    int error = 0;

    for (const char *name = names; name < names + length && error == 0; name += strlen(name) + 1) {
        const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
        error = tar_write_header(tar, name, 0);
        if (strncmp(base + strlen(mark), mark, strlen(mark)) == 0)
            continue;
        fprintf(excluded, "./");
        for (const char *part = name; part < base; part++)
            write_byte(excluded, *part);
        for (const char *part = base + strlen(mark); *part != '\0'; part++)
            write_byte(excluded, *part);
        fputc('\n', excluded);
    }
    return error;
}

/* No time or number of this run goes into the tar: what is packed twice has one digest. */
static struct worker_box start_tar(int directory, int excluded, int output, const char *label)
{
    static const char *const command[] = {
        "tar",
        "--create",
        "--file=-",
        "--format=posix",
        "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
        "--sort=name",
        "--numeric-owner",
        "--sparse",
        "--xattrs",
        "--xattrs-include=*",
        "--xattrs-exclude=trusted.*",
        "--xattrs-exclude=user.overlay.*",
        "--anchored",
        "--wildcards",
        "--exclude-from=-",
        "--warning=none",
        ".",
        NULL};
    const struct work work = {.command = command,
                              .label = label,
                              .input = excluded,
                              .output = output,
                              .reading = directory};

    return work_start(&work);
}

/* In a process of its own, so that the pipe can be filled while the pump empties it. */
static noreturn void run(int directory, int output, const char *label)
{
    size_t length;
    char *names = whiteouts_for_image(directory, &length);
    int excluded = memfd_create("whiteouts", MFD_CLOEXEC);
    FILE *stream = excluded == -1 ? NULL : fdopen(excluded, "w");

    if (names == NULL)
        exit(EXIT_TOOL);
    if (stream == NULL)
        die("memfd_create");
    if (write_whiteouts(names, length, output, stream) != 0)
        exit(EXIT_TOOL);
    if (fflush(stream) != 0 || lseek(excluded, 0, SEEK_SET) == -1)
        die("write");
    struct worker_box tar = start_tar(directory, excluded, output, label);
    exit(work_wait(&tar) == 0 || work_tell(&tar) == 0 ? EXIT_SUCCESS : EXIT_TOOL);
}

off_t pack_layer(int directory, int output, const char *label, char digest[SHA256_HEX + 1])
{
    struct sha256 sum;
    off_t start = lseek(output, 0, SEEK_CUR);
    int ends[2];
    int error = pump_pipe(ends);

    if (error == 0)
        error = sha256_start(&sum);
    if (error != 0)
        return error;
    pid_t packer = process_start((int[]){-1, ends[1], directory}, 3);
    if (packer == 0)
        run(3, STDOUT_FILENO, label);
    close(ends[1]);
    pid_t pump = pump_start(
        &(struct pump){.input = ends[0], .offset = -1, .output = output, .second = sum.input});
    close(ends[0]);
    bool good = packer > 0 && pump > 0 && process_wait(packer) == 0 && process_wait(pump) == 0;
    error = sha256_end(&sum, digest);
    if (!good)
        return -EIO;
    return error != 0 ? error : lseek(output, 0, SEEK_CUR) - start;
}
