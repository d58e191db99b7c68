#include "still.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../08-cgroup/group.h"

enum { PAUSE = 5, PATIENCE = 10000 }; /* milliseconds */

static pid_t keeper; /* the process that keeps the box still; 0 if there is none */

static int freeze(const char *group)
{
    if (group_write(group, "cgroup.freeze", "1") != 0)
        return report("freeze %s", group);
    for (int waited = 0; group_number(group, "cgroup.events", "frozen") == 0; waited += PAUSE) {
        if (waited >= PATIENCE) {
            hint("a process may be stuck in the kernel: 'ps -o pid,stat,wchan:30,args' says where");
            return refuse("%s: does not stand still", group);
        }
        nanosleep(&(struct timespec){.tv_nsec = PAUSE * 1000000L}, NULL);
    }
    return 0;
}

/*
 * What the keeper does. It is in a session of its own, where no terminal's signals reach it, and
 * holds all others off. What it waits for at the socket is its end.
 */
static noreturn void keep_still(const char *group, int socket)
{
    sigset_t all;
    char byte = 0;

    setsid();
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    int error = freeze(group);
    if (error == 0 && send(socket, &byte, 1, 0) == 1)
        (void)recv(socket, &byte, 1, 0);
    int thawed = group_write(group, "cgroup.freeze", "0");
    if (thawed != 0 && thawed != -ENOENT && thawed != -ENODEV) /* or the box has ended meanwhile */
        error = report("thaw %s", group);
    _exit(error == 0 ? EXIT_SUCCESS : EXIT_TOOL);
}

int still_begin(const struct spec *state)
{
    int ends[2];
    char byte;

    if (state->running && state->cgroup[0] == '\0') {
        hint("end it first: 'full stop %s'", state->name);
        return refuse("box %s: runs, and has no control group to be frozen in", state->name);
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1)
        return report("socketpair");
    if (!state->running)
        return ends[0];
    signal(SIGTSTP, SIG_IGN); /* Ctrl-Z would stop this process, and with it the box for good */
    keeper = fork();
    if (keeper == 0) {
        close(ends[0]);
        keep_still(state->cgroup, ends[1]);
    }
    close(ends[1]);
    if (keeper > 0 && recv(ends[0], &byte, 1, 0) == 1)
        return ends[0];
    int error = keeper == -1 ? report("fork") : -EBUSY; /* which the keeper has reported */
    (void)still_end(ends[0]);
    return error;
}

int still_end(int socket)
{
    int status = 0;

    close(socket);
    while (keeper > 0 && waitpid(keeper, &status, 0) == -1 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        return refuse("what should let the box go on was ended by signal %d", WTERMSIG(status));
    return status == 0 ? 0 : -EBUSY;
}
