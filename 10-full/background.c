#define _GNU_SOURCE
#include "background.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "streams.h"

enum {
    KEPT = 10 << 20, /* bytes of a log that stay at least ... */
    STEP = 1 << 20,  /* ... and that go at a time: whole blocks */
    PAUSE = 20       /* milliseconds between two looks at it */
};

int background_begin(const char *name)
{
    int ends[2], status = EXIT_TOOL << 8;
    char word;

    if (pipe2(ends, O_CLOEXEC) == -1)
        die("pipe");
    pid_t process = fork();
    if (process == -1)
        die("fork");
    if (process == 0) {
        close(ends[0]);
        setsid();
        streams_keep_errors();
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++)
            if (null == -1 || dup2(null, file) == -1)
                die("open /dev/null");
        close(null);
        return ends[1];
    }
    close(ends[1]);
    ssize_t got = read(ends[0], &word, 1);
    if (got == -1)
        die("wait for %s%s", name ? "box " : "the command", name ? name : "");
    if (got == 0) /* it ends, and undoes first what it has made */
        waitpid(process, &status, 0);
    else if (name != NULL && (printf("%s\n", name) < 0 || fflush(stdout) != 0))
        die("write");
    exit(got == 1 ? EXIT_SUCCESS : WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_TOOL);
}

int background_tell(int waiting)
{
    if (write(waiting, "", 1) != 1)
        return errno == EPIPE ? -errno : report("report that the command runs");
    dup2(STDERR_FILENO, tool_errors());
    return close(waiting);
}

static struct {
    int file; /* -1 without a log */
    off_t size, hole;
} current = {.file = -1};

int log_open(const char *path)
{
    current.file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (current.file == -1)
        die("open %s", path);
    return current.file;
}

ssize_t log_write(int file, const char *bytes, size_t count)
{
    ssize_t put = write(file, bytes, count);

    if (file != current.file)
        return put;
    current.size += put > 0 ? put : 0;
    off_t hole = (current.size - KEPT) / STEP * STEP;
    if (hole <= current.hole)
        return put >= 0 ? put : (ssize_t)count;
    current.hole = hole;
    if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, hole) == -1) {
        (void)!ftruncate(file, 0); /* a file system without holes: begin again */
        current.size = current.hole = 0;
    }
    return put;
}

/* Print what is new from PLACE on, but for the hole. Returns the new place. */
static off_t print_new(int file, off_t place)
{
    char text[16384];
    ssize_t got;

    if (lseek(file, 0, SEEK_END) < place)
        place = 0; /* it has been begun again */
    for (off_t data; (data = lseek(file, place, SEEK_DATA)) != -1; place = data + got) {
        if (place > 0 && data > place)
            (void)refuse("%jd bytes of the log were dropped before they could be printed",
                         (intmax_t)(data - place));
        got = read(file, text, sizeof(text));
        if (got <= 0)
            break;
        if (lseek(file, data, SEEK_DATA) != data)
            got = 0; /* it has become part of the hole meanwhile */
        if (fwrite(text, 1, (size_t)got, stdout) != (size_t)got)
            die("write");
    }
    if (fflush(stdout) != 0)
        die("write");
    return place;
}

void log_print(const char *path, int monitor)
{
    struct pollfd ended = {.fd = monitor, .events = POLLIN};
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file == -1) {
        if (errno == ENOENT)
            hint("only a box started with --detach has a log");
        die("open %s", path);
    }
    off_t place = print_new(file, 0);
    while (monitor != -1 && poll(&ended, 1, PAUSE) == 0)
        place = print_new(file, place);
    print_new(file, place); /* what came while the box ended */
}
