#include "remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

/* Open DIRECTORY/NAME for reading, after making it one that its owner can read and change. */
static DIR *open_stream(int directory, const char *name)
{
    (void)fchmodat(directory, name, 0700, 0);
    int file = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = file == -1 ? NULL : fdopendir(file);

    if (stream == NULL && file != -1)
        close(file);
    return stream;
}

/* The next entry but "." and "..". NULL at the end. */
static const char *next_name(DIR *stream)
{
    const struct dirent *entry;

    do
        entry = readdir(stream);
    while (entry != NULL && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    return entry != NULL ? entry->d_name : NULL;
}

static bool is_directory(int directory, const char *name)
{
    struct stat status;

    return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

/* Put DIRECTORY/NAME into TOP under a name that nothing there has. */
static int move_up(int directory, const char *name, int top, unsigned *number)
{
    char moved[32];

    (void)fchmodat(directory, name, 0700, 0); /* its ".." changes */
    do {
        snprintf(moved, sizeof(moved), "moved.%u", (*number)++);
        if (renameat(directory, name, top, moved) == 0 || errno == ENOENT)
            return 0;
    } while (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR);
    return report("remove %s", name);
}

/*
 * Remove the directory NAME in TOP. The directories in it are moved up into TOP, to be removed from
 * there: so no path gets too long, and there are never more than two open.
 */
static int remove_directory(int top, const char *name, unsigned *number)
{
    DIR *stream = open_stream(top, name);
    const char *inner;
    int error = 0;

    if (stream == NULL)
        return errno == ENOENT ? 0 : report("remove %s", name);
    while (error == 0 && (inner = next_name(stream)) != NULL) {
        if (unlinkat(dirfd(stream), inner, 0) == 0 || errno == ENOENT)
            continue;
        if (errno != EISDIR || unlinkat(dirfd(stream), inner, AT_REMOVEDIR) == -1)
            error = move_up(dirfd(stream), inner, top, number);
    }
    closedir(stream);
    if (error == 0 && unlinkat(top, name, AT_REMOVEDIR) == -1 && errno != ENOTEMPTY)
        error = report("remove %s", name);
    return error;
}

int remove_tree(const char *path)
{
    DIR *top = open_stream(AT_FDCWD, path);
    unsigned number = 0;
    int error = 0;
    bool again;

    if (top == NULL)
        return errno == ENOENT ? 0 : report("remove %s", path);
    do { /* until a reading finds nothing: what is moved up may come behind the place of reading */
        const char *name;
        again = false;
        rewinddir(top);
        while (error == 0 && (name = next_name(top)) != NULL) {
            again = true;
            if (is_directory(dirfd(top), name))
                error = remove_directory(dirfd(top), name, &number);
            else if (unlinkat(dirfd(top), name, 0) == -1 && errno != ENOENT)
                error = report("remove %s", name);
        }
        if (error == 0 && !again && rmdir(path) == -1 && errno != ENOENT) {
            again = errno == ENOTEMPTY; /* a process that is being killed has made something */
            error = again ? 0 : report("remove %s", path);
        }
    } while (error == 0 && again);
    closedir(top);
    return error;
}
