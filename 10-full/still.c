#include "still.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../08-cgroup/group.h"

/* Milliseconds. A process that waits for another one, vfork(2), can't stop before that one goes on:
 * so once in a while all of them do, and it is tried again. */
enum { PAUSE = 5, ONE_TRY = 1000, LONGEST_WAIT = 10000 };

/* What this process has stopped, and nobody else: oldest first, as /proc lists them. */
static struct {
    pid_t pid;
    uint64_t born;
} * stopped;
static size_t stopped_count;

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = PAUSE * 1000000L}, NULL);
}

static int time_is_up(const struct state *state)
{
    hint("a process may be stuck in the kernel: 'ps -o pid,stat,wchan:30,args' says where");
    return refuse("box %s: does not stand still", state->name);
}

/* --- frozen ----------------------------------------------------------------------------------- */

static int freeze(const struct state *state)
{
    int error = group_write(state->cgroup, "cgroup.freeze", "1");

    for (int waited = 0; error == 0; waited += PAUSE) {
        if (group_number(state->cgroup, "cgroup.events", "frozen") != 0)
            return 0; /* or the group has gone, with the box */
        if (waited >= LONGEST_WAIT)
            return time_is_up(state);
        pause_briefly();
    }
    if (error == -ENOENT || error == -ENODEV)
        return 0;
    errno = -error;
    return report("freeze %s", state->cgroup);
}

static int thaw(const struct state *state)
{
    int error = group_write(state->cgroup, "cgroup.freeze", "0");

    if (error == 0 || error == -ENOENT || error == -ENODEV)
        return 0;
    errno = -error;
    return report("thaw %s", state->cgroup);
}

/* --- stopped ---------------------------------------------------------------------------------- */

/* Is the pid namespace of PID that of the BOX, or one made inside of it? ioctl_nsfs(2) */
static bool is_within(pid_t pid, const struct stat *box)
{
    struct stat status;
    char path[64];
    bool found = false;

    snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
    int namespace = open(path, O_RDONLY | O_CLOEXEC);
    while (namespace != -1 && !found && fstat(namespace, &status) == 0) {
        found = status.st_ino == box->st_ino && status.st_dev == box->st_dev;
        int parent = ioctl(namespace, NS_GET_PARENT);
        close(namespace);
        namespace = parent;
    }
    if (namespace != -1)
        close(namespace);
    return found;
}

/* Have all threads of PID stopped, or ended? Field 3 of /proc/PID/task/TID/stat in proc(5). */
static bool is_still(pid_t pid)
{
    char path[300], text[512];
    struct dirent *entry;
    bool still = true;

    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    while (threads != NULL && still && (entry = readdir(threads)) != NULL) {
        snprintf(path, sizeof(path), "/proc/%d/task/%s", pid, entry->d_name);
        if (entry->d_name[0] == '.' || group_read(path, "stat", text, sizeof(text)) != 0)
            continue;
        const char *name_end = strrchr(text, ')'); /* the name before it may hold anything */
        still = name_end == NULL || strchr("TtZX", name_end[2]) != NULL;
    }
    if (threads != NULL)
        closedir(threads);
    return still;
}

/* One more place in the list, before it is needed: what has been stopped must not be forgotten. */
static int make_room(void)
{
    void *larger = realloc(stopped, (stopped_count + 1) * sizeof(*stopped));

    if (larger == NULL)
        return report("stop the box");
    stopped = larger;
    return 0;
}

/* Stop PID, if it is a process of the BOX; remember it unless we did before. */
static void stop(pid_t pid, const struct stat *box)
{
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    uint64_t born = state_birth(pid);
    size_t i = 0;

    /* It is still there to be sent a signal: so it, and none with its number, was looked at. */
    bool sent = process != -1 && is_within(pid, box) &&
                syscall(SYS_pidfd_send_signal, process, SIGSTOP, NULL, 0) == 0;
    if (process != -1)
        close(process);
    while (i < stopped_count && (stopped[i].pid != pid || stopped[i].born != born))
        i++;
    if (!sent || i < stopped_count)
        return;
    stopped[stopped_count].pid = pid;
    stopped[stopped_count++].born = born;
}

/* Stop what runs in the BOX. Returns how many processes that were; -errno after report(). */
static int stop_all(const struct stat *box)
{
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    int count = 0;

    if (processes == NULL)
        return report("read /proc");
    while (count >= 0 && (entry = readdir(processes)) != NULL) {
        pid_t pid = atoi(entry->d_name);
        if (pid <= 0 || !is_within(pid, box) || is_still(pid))
            continue;
        int error = make_room();
        if (error == 0)
            stop(pid, box);
        count = error == 0 ? count + 1 : error;
    }
    closedir(processes);
    return count;
}

/* Children before their parents, which then don't see them stopped: so the youngest first. */
static void go_on(void)
{
    for (; stopped_count > 0; stopped_count--) {
        pid_t pid = stopped[stopped_count - 1].pid;
        int process = (int)syscall(SYS_pidfd_open, pid, 0);
        if (process != -1 && state_birth(pid) == stopped[stopped_count - 1].born)
            syscall(SYS_pidfd_send_signal, process, SIGCONT, NULL, 0);
        if (process != -1)
            close(process);
    }
}

/*
 * Until nothing ran any more at two looks, one after the other: what ran at the first may have let
 * something go on that had been looked at already.
 */
static int stop_box(const struct state *state)
{
    struct stat box;
    char path[64];
    int looks = 0;

    snprintf(path, sizeof(path), "/proc/%d/ns/pid", state->pid);
    if (stat(path, &box) == -1)
        return errno == ENOENT ? 0 : report("box %s: %s", state->name, path);
    for (int waited = 0; looks < 2; waited += PAUSE) {
        int running = stop_all(&box);
        if (running < 0)
            return running;
        looks = running == 0 ? looks + 1 : 0;
        if (waited >= LONGEST_WAIT)
            return time_is_up(state);
        if (looks == 0 && waited % ONE_TRY == ONE_TRY - PAUSE)
            go_on();
        pause_briefly();
    }
    return 0;
}

/* --- kept so ---------------------------------------------------------------------------------- */

/*
 * The keeper. It is in a session of its own, where no terminal's signals reach it, and holds all
 * others off. What it waits for at the socket is its end.
 */
static noreturn void keep_still(const struct state *state, int socket)
{
    bool grouped = state->cgroup[0] != '\0';
    sigset_t all;
    char byte = 0;

    setsid();
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    int error = grouped ? freeze(state) : stop_box(state);
    if (error == 0 && send(socket, &byte, 1, 0) == 1)
        (void)recv(socket, &byte, 1, 0);
    if (grouped)
        error |= thaw(state);
    else
        go_on();
    _exit(error == 0 ? EXIT_SUCCESS : EXIT_TOOL);
}

int still_begin(struct still *still, const struct state *state)
{
    int ends[2];
    char byte;

    *still = (struct still){.socket = -1};
    if (!state->alive)
        return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1)
        return report("socketpair");
    signal(SIGTSTP, SIG_IGN); /* Ctrl-Z would stop this process, and with it the box for good */
    still->keeper = fork();
    if (still->keeper == 0) {
        close(ends[0]);
        keep_still(state, ends[1]);
    }
    int error = still->keeper == -1 ? report("fork") : 0;
    close(ends[1]);
    still->socket = ends[0];
    if (error == 0 && recv(ends[0], &byte, 1, 0) == 1)
        return 0;
    (void)still_end(still); /* the keeper has told why */
    return error != 0 ? error : -EBUSY;
}

int still_end(struct still *still)
{
    int status = 0;

    close(still->socket);
    while (still->keeper > 0 && waitpid(still->keeper, &status, 0) == -1 && errno == EINTR)
        ;
    signal(SIGTSTP, SIG_DFL);
    if (WIFSIGNALED(status))
        return refuse("what should let the box go on was ended by signal %d", WTERMSIG(status));
    return status == 0 ? 0 : -EBUSY;
}
