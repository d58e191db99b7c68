#include "spawn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../01-chroot/program.h"
#include "../01-chroot/tool.h"

static const struct {
    uint64_t flag;
    const char *name;
    const char *unshare; /* the option of unshare(1) */
} namespace_kinds[] = {
    {CLONE_NEWUSER, "CLONE_NEWUSER", " --user"},
    {CLONE_NEWNS, "CLONE_NEWNS", " --mount --propagation unchanged"},
    {CLONE_NEWPID, "CLONE_NEWPID", " --pid --fork"},
    {CLONE_NEWUTS, "CLONE_NEWUTS", " --uts"},
    {CLONE_NEWIPC, "CLONE_NEWIPC", " --ipc"},
    {CLONE_NEWNET, "CLONE_NEWNET", " --net"},
    {CLONE_NEWCGROUP, "CLONE_NEWCGROUP", " --cgroup"},
    {CLONE_INTO_CGROUP, "CLONE_INTO_CGROUP", ""},
};

static void explain_clone(uint64_t flags)
{
    char options[256] = "", names[256] = "";

    for (size_t i = 0; i < sizeof(namespace_kinds) / sizeof(namespace_kinds[0]); i++) {
        if (!(flags & namespace_kinds[i].flag))
            continue;
        strcat(options, namespace_kinds[i].unshare);
        strcat(strcat(names, names[0] ? "|" : ""), namespace_kinds[i].name);
    }
    explain("unshare%s\tclone3(%s)", options, names);
}

sigset_t spawn_signals(void)
{
    static const int signals[] = {SIGINT,  SIGTERM, SIGHUP,   SIGQUIT,
                                  SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD};
    struct sigaction hangup;
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaddset(&set, signals[i]);
    /* Blocked, it would arrive although it is ignored. A tool under nohup(1) doesn't pass it on. */
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN)
        sigdelset(&set, SIGHUP);
    return set;
}

/* No signal comes if the tool died before this call: then its end of the socket is closed. */
void spawn_tie(const struct child *child)
{
    struct pollfd host = {.fd = child->sync, .events = 0};

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
        die("prctl PR_SET_PDEATHSIG");
    if (poll(&host, 1, 0) == 1 && (host.revents & POLLHUP))
        _exit(EXIT_TOOL);
}

void spawn_hold_stops(bool hold)
{
    static int holds;
    sigset_t stops;

    sigemptyset(&stops);
    sigaddset(&stops, SIGTSTP);
    sigaddset(&stops, SIGTTIN);
    sigaddset(&stops, SIGTTOU);
    holds += hold ? 1 : -1;
    sigprocmask(holds > 0 ? SIG_BLOCK : SIG_UNBLOCK, &stops, NULL);
}

void spawn_block_signals(void)
{
    sigset_t blocked = spawn_signals();

    sigaddset(&blocked, SIGPIPE); /* even if nobody reads our errors, we must still undo things */
    signal(SIGCHLD, SIG_DFL);     /* if our parent made us ignore it, there is no exit status */
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    spawn_hold_stops(true);
}

/* The box's end of the socket. If the box ends by exit(3), it runs no command, and sends a word. */
static int to_host = -1;

static void report_failure(void)
{
    (void)send(to_host, "failed", 6, MSG_NOSIGNAL);
}

struct child spawn_with(struct clone_args arguments)
{
    struct child child = {.pid = -1, .pidfd = -1};
    uint64_t asked = arguments.flags;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1) {
        report("socketpair");
        return child;
    }
    if (asked != 0)
        explain_clone(asked);
    arguments.flags |= CLONE_PIDFD;
    arguments.pidfd = (uintptr_t)&child.pidfd;
    arguments.exit_signal = SIGCHLD;
    child.pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
    /* Seccomp filters, chapter 10's too, can't see the flags of clone3 and so hide the call. */
    if (child.pid == -1 && errno == ENOSYS && !(asked & CLONE_INTO_CGROUP))
        child.pid = (pid_t)syscall(SYS_clone, arguments.flags | SIGCHLD, NULL, &child.pidfd);
    if (child.pid == -1) {
        if (errno == EACCES && (asked & CLONE_INTO_CGROUP))
            hint("that group isn't in your branch: start this with 'systemd-run --user --scope'");
        if (errno == EPERM && (asked & CLONE_NEWUSER))
            hint("not possible after chroot(2); or this machine forbids it: see 'make doctor'");
        report("clone3");
    }
    child.sync = pair[child.pid == 0];
    close(pair[child.pid != 0]);
    if (child.pid == 0) {
        tool_side("box");
        to_host = child.sync;
        atexit(report_failure);
        spawn_tie(&child);
    }
    return child;
}

struct child spawn(uint64_t namespaces)
{
    spawn_block_signals();
    struct child child = spawn_with((struct clone_args){.flags = namespaces});
    if (child.pid == -1)
        exit(EXIT_TOOL);
    return child;
}

void spawn_go(const struct child *child)
{
    if (send(child->sync, "go", 2, MSG_NOSIGNAL) != -1)
        return;
    if (errno != EPIPE && errno != ECONNRESET) /* otherwise the box has died: see spawn_wait() */
        (void)report("send \"go\" to the box");
    shutdown(child->sync, SHUT_RDWR); /* "go" will never arrive, and the box must not wait */
}

int spawn_wait_exec(const struct child *child)
{
    char word[8];
    ssize_t got;

    do /* once ECONNRESET, if the other side has left something unread; its word comes after it */
        got = recv(child->sync, word, sizeof(word), 0);
    while (got == -1 && errno == ECONNRESET);
    if (got == -1)
        die("wait for the other side");
    return got > 0;
}

void spawn_wait_go(const struct child *child)
{
    if (spawn_wait_exec(child) != 1) /* the same: a word, or the end of the other side */
        _exit(EXIT_TOOL);
}

void spawn_exec(const struct child *child, char **command)
{
    spawn_tie(child); /* again: a change of credentials has cleared it */
    exec_command(command);
}

int spawn_wait(const struct child *child)
{
    sigset_t signals = spawn_signals();
    siginfo_t info;
    pid_t ended;
    int status;

    spawn_hold_stops(false);
    while ((ended = waitpid(-1, &status, WNOHANG)) != child->pid) {
        /* Another child is an orphan that we reap as init; EINTR: stopped and continued. */
        if (ended > 0 || sigwaitinfo(&signals, &info) == -1)
            continue;
        /*
         * The terminal sends its signals (SI_KERNEL) to the whole foreground group, so the command
         * has received this one already, unless it has left the group. Only a hangup can go to the
         * session leader alone.
         */
        bool from_terminal = info.si_code == SI_KERNEL && info.si_signo != SIGHUP &&
                             getpgid(child->pid) == getpgrp();
        if (info.si_signo != SIGCHLD && !from_terminal)
            syscall(SYS_pidfd_send_signal, child->pidfd, info.si_signo, NULL, 0);
    }
    spawn_hold_stops(true);
    return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}
