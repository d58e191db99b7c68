#include "pack.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "pump.h"
#include "workbox.h"

/* No time or number of this run goes into the tar: what is packed twice has one digest. */
static struct worker_box start_tar(int directory, int output, const char *label)
{
    static const char *const command[] = {
        "tar",
        "--create",
        "--file=-",
        "--format=posix",
        "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
        "--numeric-owner",
        "--sparse",
        "--xattrs",
        "--xattrs-include=*",
        "--xattrs-exclude=trusted.*",
        "--xattrs-exclude=user.overlay.*",
        "--warning=none",
        "--no-recursion",
        "--null",
        "--files-from=-",
        NULL};
    const struct work work = {.command = command,
                              .label = label,
                              .whiteouts = true,
                              .input = -1,
                              .output = output,
                              .reading = directory};

    return work_start(&work);
}

/* In a process of its own, which an error in making the box may end. */
static noreturn void run(int directory, int output, const char *label)
{
    struct worker_box tar = start_tar(directory, output, label);

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
