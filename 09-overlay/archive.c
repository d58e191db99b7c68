#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/program.h"
#include "../01-chroot/tool.h"
#include "store.h"
#include "tarfile.h"
#include "workbox.h"

/* What PROGRAM makes of INPUT, which is closed. Returns a descriptor or -errno. */
static int filter(const char *path, const char *program, bool decompress, int input)
{
    const char *const command[] = {program, decompress ? "-dc" : NULL, NULL};
    char found[PATH_MAX];
    int file = -EINVAL;

    if (program_find(program, found, sizeof(found)))
        file = store_nameless();
    else
        (void)refuse("%s: requires %s, which is not installed", path, program);
    if (file >= 0) {
        const struct work work = {
            .command = command, .label = path, .input = input, .output = file};
        struct worker_box worker = work_start(&work);
        int error = work_wait(&worker) != 0 ? work_tell(&worker) : 0;
        if (error != 0) {
            close(file);
            file = error;
        } else {
            lseek(file, 0, SEEK_SET);
        }
    }
    close(input);
    return file;
}

int archive_open(const char *path)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file == -1 || fstat(file, &status) == -1)
        return report("%s", path);
    bool flows = S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode);
    if (!flows && !S_ISREG(status.st_mode)) {
        close(file);
        return refuse("%s: not a file, which the tar of an image has to be", path);
    }
    if (flows)
        file = filter(path, "cat", false, file);
    const char *program = file >= 0 ? tar_decompressor(file, 0) : NULL;
    if (program == NULL)
        return file;
    lseek(file, 0, SEEK_SET);
    return filter(path, program, true, file);
}
