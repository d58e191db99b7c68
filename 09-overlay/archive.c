#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "store.h"
#include "tarfile.h"
#include "workbox.h"

/* COMMAND from INPUT to OUTPUT. */
static int run(const char *path, const char *const *command, int input, int output)
{
    pid_t process = work_start(NULL, input, output);

    if (process == 0) {
        struct worker worker = worker_start(command, STDIN_FILENO, STDOUT_FILENO);
        int status = work_wait(worker.pid);
        exit(status == 0 || worker_tell(&worker, path, status) == 0 ? EXIT_SUCCESS : EXIT_TOOL);
    }
    return process > 0 && work_wait(process) == 0 ? 0 : -EIO; /* it has said why */
}

/* What PROGRAM makes of INPUT, which is closed. Returns a descriptor or -errno. */
static int filter(const char *path, const char *program, bool decompress, int input)
{
    const char *const command[] = {program, decompress ? "-dc" : NULL, NULL};
    int file = store_nameless();
    int error = file >= 0 ? run(path, command, input, file) : file;
    close(input);
    if (error != 0 && file >= 0)
        close(file);
    if (error == 0)
        lseek(file, 0, SEEK_SET);
    return error == 0 ? file : error;
}

/* The caller's standard input may be a socket, or another user's pipe: it can't be opened again. */
static int open_input(const char *path)
{
    if (strcmp(path, "/dev/stdin") == 0)
        return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    return open(path, O_RDONLY | O_CLOEXEC);
}

int archive_open(const char *path)
{
    struct stat status;
    int file = open_input(path);

    if (file == -1 || fstat(file, &status) == -1)
        return report("%s", path);
    bool flows = S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode);
    if (!flows && !S_ISREG(status.st_mode)) {
        close(file);
        return refuse("%s: not a file, which the tar of an image has to be", path);
    }
    if (flows)
        file = filter(path, "cat", false, file);
    if (file < 0)
        return file;
    lseek(file, 0, SEEK_SET);
    const char *program = tar_decompressor(file, 0);
    return program == NULL ? file : filter(path, program, true, file);
}
