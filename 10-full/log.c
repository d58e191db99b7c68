#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

enum { LARGEST_FILE = 10000000, PATH_SIZE = PATH_MAX + sizeof(".1") };

/* --- the monitor writes ----------------------------------------------------------------------- */

static struct {
    int file; /* -1 without a log */
    size_t size;
    char path[PATH_SIZE], older[PATH_SIZE];
} current = {.file = -1};

static int open_file(void)
{
    return open(current.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

int log_open(const char *path)
{
    snprintf(current.path, sizeof(current.path), "%.*s", PATH_MAX, path);
    snprintf(current.older, sizeof(current.older), "%.*s.1", PATH_MAX, path);
    current.file = open_file();
    if (current.file == -1)
        die("open %s", path);
    return current.file;
}

/* The new file gets the old one's number. Without one, the old one is begun again. */
static void begin_next(void)
{
    int next = rename(current.path, current.older) == 0 ? open_file() : -1;

    if (next == -1 || dup3(next, current.file, O_CLOEXEC) == -1)
        (void)!ftruncate(current.file, 0);
    if (next != -1)
        close(next);
    current.size = 0;
}

ssize_t log_write(int file, const char *bytes, size_t count)
{
    if (file != current.file)
        return write(file, bytes, count);
    if (current.size + count > LARGEST_FILE)
        begin_next();
    current.size += count;
    ssize_t put = write(file, bytes, count);
    return put >= 0 ? put : (ssize_t)count;
}

/* --- 'full logs' reads ------------------------------------------------------------------------ */

static bool is_at(int file, const char *path)
{
    struct stat ours, there;

    return fstat(file, &ours) == 0 && stat(path, &there) == 0 && ours.st_ino == there.st_ino &&
           ours.st_dev == there.st_dev;
}

/* The file that comes after FILE (-1: the first one); -1 if there is none yet. */
static int open_next(int file, const char *path, const char *older)
{
    if (is_at(file, path))
        return -1;
    int next = is_at(file, older) ? -1 : open(older, O_RDONLY | O_CLOEXEC);
    return next != -1 ? next : open(path, O_RDONLY | O_CLOEXEC);
}

static void copy_rest(int file)
{
    char text[16384];
    ssize_t got;

    while ((got = read(file, text, sizeof(text))) > 0)
        for (ssize_t done = 0, wrote; done < got; done += wrote)
            if ((wrote = write(STDOUT_FILENO, text + done, (size_t)(got - done))) == -1)
                die("write");
}

/* Print what comes after what has been read of FILE. Returns the file that is read by then. A file
 * grows no more once there is a next one: so that is looked for first. */
static int print_new(int file, const char *path, const char *older)
{
    for (int next;; file = next) {
        next = open_next(file, path, older);
        if (file != -1)
            copy_rest(file);
        if (next == -1)
            return file;
        close(file);
    }
}

void log_print(const char *path, int monitor)
{
    char older[PATH_SIZE], events[4096];
    struct pollfd files[] = {{.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), .events = POLLIN},
                             {.fd = monitor, .events = POLLIN}};

    snprintf(older, sizeof(older), "%.*s", (int)(strrchr(path, '/') - path), path);
    if (monitor != -1 && inotify_add_watch(files[0].fd, older, IN_MODIFY | IN_CREATE) == -1)
        die("watch %s", older);
    snprintf(older, sizeof(older), "%.*s.1", PATH_MAX, path);
    int file = print_new(-1, path, older);
    if (file == -1) {
        if (errno == ENOENT)
            hint("only a box started with --detach has a log");
        die("open %s", path);
    }
    while (monitor != -1 && files[1].revents == 0) {
        poll(files, 2, -1);
        while (read(files[0].fd, events, sizeof(events)) > 0)
            ;
        file = print_new(file, path, older);
    }
}
