#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

enum { BUFFER = 1 << 20, MOST_DESCRIPTORS = 8, OUT_OF_THE_WAY = 64, SECOND = 3 };

int pump_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) == -1)
        return report("pipe");
    (void)fcntl(ends[0], F_SETPIPE_SZ, BUFFER); /* a smaller one is only slower */
    return 0;
}

/* First away from their new places: some may lie in the way of others. */
void place_descriptors(const int *descriptors, int count)
{
    int moved[MOST_DESCRIPTORS];

    for (int i = 0; i < count; i++)
        moved[i] = descriptors[i] < 0 ? -1 : fcntl(descriptors[i], F_DUPFD, OUT_OF_THE_WAY);
    for (int i = 0; i < count; i++) {
        int place = i < 2 ? i : i + 1;
        if (descriptors[i] >= 0 && dup2(moved[i], place) == -1)
            die("dup2");
        if (descriptors[i] < 0 && place > 2)
            close(place);
    }
    if (syscall(SYS_close_range, count < 2 ? 3 : count + 1, ~0U, 0) == -1)
        die("close_range");
}

pid_t process_start(const int *descriptors, int count)
{
    pid_t parent = getpid();

    signal(SIGCHLD, SIG_DFL); /* if our parent has us ignore it, there is no exit status */
    pid_t process = fork();

    if (process != 0)
        return process;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
        die("prctl PR_SET_PDEATHSIG");
    if (getppid() != parent)
        _exit(EXIT_TOOL);
    place_descriptors(descriptors, count);
    return 0;
}

int process_wait(pid_t process)
{
    int status;

    while (waitpid(process, &status, 0) == -1)
        if (errno != EINTR)
            return EXIT_TOOL;
    return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

/*
 * Move LENGTH bytes from a pipe to standard output. If its reader has gone they go nowhere, as do
 * all that follow: the second output may still want them.
 */
static void move(int from, size_t length)
{
    while (length > 0) {
        ssize_t moved = splice(from, NULL, STDOUT_FILENO, NULL, length, SPLICE_F_MOVE);
        if (moved == -1 && errno == EPIPE) {
            int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
            if (nowhere == -1 || dup2(nowhere, STDOUT_FILENO) == -1)
                die("open /dev/null");
            close(nowhere);
            continue;
        }
        if (moved <= 0)
            die("splice");
        length -= (size_t)moved;
    }
}

/*
 * A reader takes a few KiB at a time. To be woken for each would cost a tenth of an import: while
 * there is plenty in the pipe, let it take more first.
 */
static void let_it_read(int pipe)
{
    const struct timespec moment = {.tv_nsec = 300000};
    int bytes;

    if (ioctl(pipe, FIONREAD, &bytes) == 0 && bytes > BUFFER / 2)
        nanosleep(&moment, NULL);
}

/* LENGTH bytes from a pipe to both outputs, or to the one that is left. */
static void share(int from, bool *second, size_t length)
{
    while (length > 0) {
        let_it_read(*second ? SECOND : STDOUT_FILENO);
        ssize_t twice = *second ? tee(from, SECOND, length, 0) : (ssize_t)length;
        if (twice == -1 && errno == EPIPE) {
            *second = false;
            continue;
        }
        if (twice <= 0)
            die("tee");
        move(from, (size_t)twice);
        length -= (size_t)twice;
    }
}

/* In its process, as placed by pump_start(): 0 the input, 1 the output, 3 the second one. */
static noreturn void pump_run(const struct pump *pump)
{
    off_t offset = pump->offset, left = pump->size;
    bool second = pump->second >= 0;
    int middle[2];

    signal(SIGPIPE, SIG_IGN);
    if (pump_pipe(middle) != 0)
        exit(EXIT_TOOL);
    while (offset == -1 || left > 0) {
        size_t length = offset == -1 || left > BUFFER ? BUFFER : (size_t)left;
        ssize_t got =
            splice(STDIN_FILENO, offset == -1 ? NULL : &offset, middle[1], NULL, length, 0);
        if (got == -1)
            die("read a layer");
        if (got == 0)
            break;
        left -= got;
        if (pump->progress != NULL)
            __atomic_add_fetch(pump->progress, (uint64_t)got, __ATOMIC_RELAXED);
        share(middle[0], &second, (size_t)got);
    }
    exit(EXIT_SUCCESS);
}

pid_t pump_start(const struct pump *pump)
{
    pid_t process = process_start((int[]){pump->input, pump->output, pump->second}, 3);

    if (process == 0)
        pump_run(pump);
    return process == -1 ? report("fork") : process;
}
