#include "group.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/inside.h"

#define MADE_UP "ten-steps-" /* and eight digits: a name that the user has not chosen */

enum { LONGEST_WAIT = 10 }; /* seconds, for killed processes */

bool group_next(DIR *directory, const char *group, char *path)
{
    struct dirent *entry;

    while (directory != NULL && (entry = readdir(directory)) != NULL)
        if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0 &&
            snprintf(path, LONGEST_GROUP, "%s/%s", group, entry->d_name) < LONGEST_GROUP)
            return true;
    return false;
}

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
    return error;
}

long long group_number(const char *group, const char *file, const char *key)
{
    char text[8192];
    size_t length = strlen(key);

    if (group_read(group, file, text, sizeof(text)) != 0)
        return -1;
    for (const char *line = text; *line != '\0';) {
        if (strncmp(line, key, length) == 0 && line[length] == ' ')
            return strtoll(line + length, NULL, 10);
        line += strcspn(line, "\n");
        line += *line == '\n';
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

bool group_is_writable(const char *group)
{
    char path[LONGEST_GROUP + 64];

    snprintf(path, sizeof(path), "%s/cgroup.procs", group);
    return access(group, W_OK) == 0 && access(path, W_OK) == 0;
}

int group_make(const char *parent, const char *name, char *path)
{
    unsigned number = 0;
    char made_up[32];

    do {
        if (name == NULL && getrandom(&number, sizeof(number), 0) != sizeof(number))
            return report("getrandom");
        snprintf(made_up, sizeof(made_up), MADE_UP "%08x", number);
        snprintf(path, LONGEST_GROUP, "%.*s/%s", LONGEST_GROUP - 256, parent,
                 name != NULL ? name : made_up);
        explain("mkdir %s\tmkdir(\"%s\", 0755)", path, path);
        mode_t mask = umask(022); /* the caller's is not for what the box will read */
        int made = mkdir(path, 0755);
        umask(mask);
        if (made == 0)
            return 0;
    } while (errno == EEXIST && name == NULL);
    if (errno == EEXIST)
        hint("another run has it; if nothing is in it: rmdir %.300s", path);
    else if (errno == EAGAIN)
        hint("a group above limits the number: see cgroup.max.descendants and cgroup.max.depth");
    return report("mkdir %s", path);
}

bool group_is_made_up(const char *name)
{
    size_t prefix = strlen(MADE_UP);

    return strncmp(name, MADE_UP, prefix) == 0 && strlen(name) == prefix + 8 &&
           strspn(name + prefix, "0123456789abcdef") == 8;
}

int group_empty(const char *group)
{
    char path[LONGEST_GROUP + 64];
    struct timespec start, now;
    struct pollfd events = {.events = POLLPRI};

    if (group_number(group, "cgroup.events", "populated") != 1)
        return 0;
    /* EXERCISE 8.4: end all processes of the group at once. cgroups(7), cgroup.kill */
    int error = group_write(group, "cgroup.kill", "1");
    if (error != 0)
        return error;
    /* END */

    /* The kernel wakes whoever polls cgroup.events each time when the text in it changes. */
    snprintf(path, sizeof(path), "%s/cgroup.events", group);
    events.fd = open(path, O_RDONLY | O_CLOEXEC);
    clock_gettime(CLOCK_MONOTONIC, &start);
    now = start;
    while (group_number(group, "cgroup.events", "populated") == 1) {
        if (now.tv_sec - start.tv_sec >= LONGEST_WAIT) {
            close(events.fd);
            return -ETIMEDOUT;
        }
        char text[256];
        (void)!pread(events.fd, text, sizeof(text), 0); /* what has been read is no news */
        if (group_number(group, "cgroup.events", "populated") == 1)
            poll(&events, 1, 200);
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    close(events.fd);
    return 0;
}

int group_remove(const char *group)
{
    char path[LONGEST_GROUP];
    DIR *directory = opendir(group);

    while (group_next(directory, group, path))
        group_remove(path);
    if (directory != NULL)
        closedir(directory);
    explain("rmdir %s\trmdir(\"%s\")", group, group);
    return rmdir(group) == -1 ? -errno : 0;
}
