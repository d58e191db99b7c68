#include "pack.h"

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

/* Files ".wh.NAME" come first in the tar; the devices NAME that they stand for are not to be in it.
 */
static int write_whiteouts(const char *names, size_t length, int tar, int excluded)
{
    static const char mark[] = ".wh.";
    int error = 0;

    for (const char *name = names; name < names + length && error == 0; name += strlen(name) + 1) {
        const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
        error = tar_write_header(tar, name, 0);
        if (error == 0 && strncmp(base + strlen(mark), mark, strlen(mark)) != 0 &&
            dprintf(excluded, "./%.*s%s\n", (int)(base - name), name, base + strlen(mark)) < 0)
            error = report("write");
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
        "--no-wildcards",
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

    if (names == NULL)
        exit(EXIT_TOOL);
    if (excluded == -1)
        die("memfd_create");
    if (write_whiteouts(names, length, output, excluded) != 0)
        exit(EXIT_TOOL);
    if (lseek(excluded, 0, SEEK_SET) == -1)
        die("lseek");
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
