#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int open_inside(int root, const char *path, uint64_t flags, uint64_t resolve)
{
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
    };
    int file, tries = 100;

    /* EAGAIN: after a rename, the kernel can't be sure that the path is still inside the root. */
    do
        file = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
    while (file == -1 && errno == EAGAIN && --tries > 0);
    return file;
}

int open_file(const char *path)
{
    struct stat status;

    if (stat(path, &status) == -1 || !S_ISREG(status.st_mode))
        return -1;
    /* By now it may be another file: so don't block, and take no terminal. */
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

void first_line(const char *path, char *line, size_t size)
{
    int file = open_file(path);
    ssize_t length = file == -1 ? 0 : read(file, line, size - 1);

    if (file != -1)
        close(file);
    line[length > 0 ? length : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
}

bool in_user_namespace(void)
{
    unsigned inside, outside, count;
    char line[64];

    first_line("/proc/self/uid_map", line, sizeof(line));
    return sscanf(line, "%u %u %u", &inside, &outside, &count) == 3 && count != 4294967295U;
}
