#include "group.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../07-net/claim.h"

int group_read(const char *group, const char *file, char *text, size_t size)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", group, file);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = descriptor == -1 ? -1 : read(descriptor, text, size - 1);
    int error = length == -1 ? -errno : 0;
    if (descriptor != -1)
        close(descriptor);
    if (length > 0 && text[length - 1] == '\n')
        length--;
    text[length > 0 ? length : 0] = '\0';
    errno = -error;
    return error;
}

int group_write(const char *group, const char *file, const char *value)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", group, file);
    return file_write(path, value);
}

long long group_number(const char *group, const char *file, const char *key)
{
    char text[16384], *number;
    size_t length = strlen(key);

    group_read(group, file, text, sizeof(text));
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) != 0 ||
            (length > 0 && !isblank((unsigned char)line[length])))
            continue;
        long long found = strtoll(line + length, &number, 10);
        return number == line + length ? -1 : found;
    }
    return -1;
}

int group_make(const char *path)
{
    explain("mkdir %s\tmkdir(\"%s\", 0755)", path, path);
    return mkdir(path, 0755) == -1 ? -errno : 0;
}
