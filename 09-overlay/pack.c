#include "pack.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "whiteout.h"
#include "workbox.h"

/* No time or number of this run goes into the tar: what is packed twice has one digest. */
static const char *const tar[] = {
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

/* In the box. The directory is its standard input, the only place for what it gets. */
static noreturn void pack(const char *label)
{
    if (fchdir(STDIN_FILENO) == -1)
        die("%s", label);
    int names = whiteouts_write(STDOUT_FILENO);
    if (names < 0)
        exit(EXIT_TOOL);
    struct worker worker = worker_start(tar, names, STDOUT_FILENO);
    int status = work_wait(worker.pid);
    exit(status == 0 || worker_tell(&worker, label, status) == 0 ? EXIT_SUCCESS : EXIT_TOOL);
}

off_t pack_layer(int directory, int output, const char *label, char digest[SHA256_HEX + 1])
{
    static char bytes[1 << 16];
    off_t at = lseek(output, 0, SEEK_CUR), start = at;
    struct sha256 sum;
    ssize_t got;

    pid_t process = work_start(NULL, directory, output);
    if (process == 0)
        pack(label);
    if (process < 0 || work_wait(process) != 0)
        return -EIO; /* it has said why */
    sha256_start(&sum);
    for (; (got = pread(output, bytes, sizeof(bytes), at)) > 0; at += got)
        sha256_add(&sum, bytes, (size_t)got);
    if (got == -1)
        return report("%s", label);
    sha256_end(&sum, digest);
    return at - start;
}
