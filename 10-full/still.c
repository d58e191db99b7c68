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

/* --- a group is frozen ------------------------------------------------------------------------ */

static int set_frozen(const struct spec *state, const char *value)
{
    int error = group_write(state->cgroup, "cgroup.freeze", value);

    if (error == 0 || error == -ENOENT || error == -ENODEV)
        return 0; /* or the group has gone, with the box */
    errno = -error;
    return report("freeze or thaw %s", state->cgroup);
}

/* --- processes are stopped -------------------------------------------------------------------- */

/* The pid namespace of the box, and what has been stopped in it and goes on at the end. */
static struct {
    ino_t namespace;
    DIR *processes;
    pid_t *stopped;
    size_t count;
} box;

static int find_box(const struct spec *state)
{
    struct stat status;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/ns/pid", state->pid);
    box.processes = opendir("/proc");
    if (box.processes == NULL)
        return report("read /proc");
    if (stat(path, &status) == 0)
        box.namespace = status.st_ino;
    else if (errno != ENOENT)
        return report("box %s: %s", state->name, path);
    return 0;
}

/* Is the pid namespace of PID the box's, or one made inside of it? ioctl_nsfs(2) */
static bool is_within(pid_t pid)
{
    struct stat status;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
    int namespace = open(path, O_RDONLY | O_CLOEXEC);
    while (namespace != -1 && (fstat(namespace, &status) == -1 || status.st_ino != box.namespace)) {
        int parent = ioctl(namespace, NS_GET_PARENT);
        close(namespace);
        namespace = parent;
    }
    return namespace != -1 && close(namespace) == 0;
}

/* Has a thread of PID neither stopped nor ended? Field 3 of /proc/PID/task/TID/stat in proc(5). */
static bool runs(pid_t pid)
{
    char path[300], text[512];
    struct dirent *entry;
    bool found = false;

    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    while (threads != NULL && !found && (entry = readdir(threads)) != NULL) {
        snprintf(path, sizeof(path), "/proc/%d/task/%s", pid, entry->d_name);
        if (entry->d_name[0] == '.' || group_read(path, "stat", text, sizeof(text)) != 0)
            continue;
        const char *name_end = strrchr(text, ')'); /* the name before it may hold anything */
        found = name_end != NULL && strchr("TtZX", name_end[2]) == NULL;
    }
    if (threads != NULL)
        closedir(threads);
    return found;
}

/* It is still there to be sent a signal: so it, and none with its number, was looked at. */
static void send_signal(pid_t pid, int signal)
{
    int process = (int)syscall(SYS_pidfd_open, pid, 0);

    if (process == -1)
        return;
    if (is_within(pid))
        syscall(SYS_pidfd_send_signal, process, signal, NULL, 0);
    close(process);
}

/* What can't be remembered is not stopped, and the box does not stand still. */
static bool remember(pid_t pid)
{
    for (size_t i = 0; i < box.count; i++)
        if (box.stopped[i] == pid)
            return true;
    pid_t *larger = realloc(box.stopped, (box.count + 1) * sizeof(*larger));
    if (larger == NULL)
        return false;
    box.stopped = larger;
    box.stopped[box.count++] = pid;
    return true;
}

/* Stop what runs. Returns how many processes that were. */
static int stop_all(void)
{
    struct dirent *entry;
    int count = 0;

    rewinddir(box.processes);
    while ((entry = readdir(box.processes)) != NULL) {
        pid_t pid = atoi(entry->d_name);
        if (pid <= 0 || !is_within(pid) || !runs(pid))
            continue;
        if (remember(pid))
            send_signal(pid, SIGSTOP);
        count++;
    }
    return count;
}

/* Children before their parents, which then don't see them stopped: so the youngest first. */
static void go_on(void)
{
    while (box.count > 0)
        send_signal(box.stopped[--box.count], SIGCONT);
}

/* --- kept so ---------------------------------------------------------------------------------- */

/*
 * Processes stand still when none ran at two looks, one after the other: what ran at the first may
 * have let something go on that had been looked at already.
 */
static int wait_until_still(const struct spec *state, bool grouped)
{
    int looks = 0;

    for (int waited = 0; looks < 2; waited += PAUSE) {
        if (grouped)
            looks = group_number(state->cgroup, "cgroup.events", "frozen") != 0 ? 2 : 0;
        else
            looks = stop_all() == 0 ? looks + 1 : 0;
        if (waited >= LONGEST_WAIT) {
            hint("a process may be stuck in the kernel: 'ps -o pid,stat,wchan:30,args' says where");
            return refuse("box %s: does not stand still", state->name);
        }
        if (looks == 0 && waited % ONE_TRY == ONE_TRY - PAUSE)
            go_on();
        nanosleep(&(struct timespec){.tv_nsec = PAUSE * 1000000L}, NULL);
    }
    return 0;
}

/*
 * The keeper. It is in a session of its own, where no terminal's signals reach it, and holds all
 * others off. What it waits for at the socket is its end.
 */
static noreturn void keep_still(const struct spec *state, int socket)
{
    bool grouped = state->cgroup[0] != '\0';
    sigset_t all;
    char byte = 0;

    setsid();
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    int error = grouped ? set_frozen(state, "1") : find_box(state);
    if (error == 0)
        error = wait_until_still(state, grouped);
    if (error == 0 && send(socket, &byte, 1, 0) == 1)
        (void)recv(socket, &byte, 1, 0);
    go_on();
    if (grouped)
        error |= set_frozen(state, "0");
    _exit(error == 0 ? EXIT_SUCCESS : EXIT_TOOL);
}

int still_begin(struct still *still, const struct spec *state)
{
    int ends[2];
    char byte;

    *still = (struct still){.socket = -1};
    if (!state->running)
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
    (void)still_end(still); /* the keeper has reported why */
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
