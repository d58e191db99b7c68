#include "group.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/inside.h"

int group_read(const char *group, const char *file, char *text, size_t size)
{
    char path[LONGEST_GROUP + 256];
    size_t length = 0;
    ssize_t got = 0;

    text[0] = '\0';
    snprintf(path, sizeof(path), "%s/%s", group, file);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor == -1)
        return -errno;
    while (length < size - 1 && (got = read(descriptor, text + length, size - 1 - length)) > 0)
        length += (size_t)got;
    int error = got == -1 ? -errno : 0;
    close(descriptor);
    errno = -error;
    if (length > 0 && text[length - 1] == '\n')
        length--;
    text[length] = '\0';
    return error;
}

int group_write(const char *group, const char *file, const char *value)
{
    char path[LONGEST_GROUP + 256];
    const char *quote = strpbrk(value, " *?[$;&|<>'\"\\") != NULL ? "'" : "";
    int error = 0;

    snprintf(path, sizeof(path), "%s/%s", group, file);
    explain("echo %s%s%s > %s\twrite(\"%s\", \"%s\")", quote, value, quote, path, file, value);
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    if (descriptor == -1)
        return -errno;
    if (write(descriptor, value, strlen(value)) == -1)
        error = -errno;
    close(descriptor);
    errno = -error;
    return error;
}

long long group_number(const char *group, const char *file, const char *key)
{
    char text[8192];
    size_t length = strlen(key);

    if (group_read(group, file, text, sizeof(text)) != 0)
        return -1;
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && (length == 0 || line[length] == ' '))
            return strtoll(line + length, NULL, 10);
    }
    return -1;
}

int group_first_process(const char *group, char *name, size_t size)
{
    char text[32], path[64];

    group_read(group, "cgroup.procs", text, sizeof(text));
    int pid = atoi(text);
    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    first_line(path, name, size);
    return pid;
}

int group_make(const char *path)
{
    explain("mkdir %s\tmkdir(\"%s\", 0755)", path, path);
    mode_t mask = umask(022); /* the caller's is not for what the box will read */
    int error = mkdir(path, 0755) == -1 ? -errno : 0;
    umask(mask);
    return error;
}
