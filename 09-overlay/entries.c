#define _GNU_SOURCE
#include "entries.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int is_name(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Not every libc has scandirat(3), and not every box has the /proc that would name DIRECTORY. */
int entries_read(int directory, struct dirent ***entries)
{
    int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), count = -1;

    if (back != -1 && fchdir(directory) == 0)
        count = scandir(".", entries, is_name, alphasort);
    int error = errno;
    if (back != -1 && fchdir(back) == -1)
        count = -1;
    close(back);
    errno = error;
    return count;
}
