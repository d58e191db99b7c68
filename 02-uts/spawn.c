#include "spawn.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
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
    /* Blocked, it would arrive although it is ignored. Under nohup(1) the command keeps running. */
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN)
        sigdelset(&set, SIGHUP);
    return set;
}

/*
 * If the tool is killed outright, so is the box. The kernel only sends the signal for a death that
 * comes after this call, so look whether the host's end of the socket is still held.
 */
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

/* The box's end of the socket. If the box ends by exit(3), it has failed, and sends a word. */
static int to_host = -1;

static void report_failure(void)
{
    (void)send(to_host, "failed", 6, MSG_NOSIGNAL);
}

struct child spawn_with(struct clone_args arguments)
{
    struct child child = {.pidfd = -1};
    uint64_t asked = arguments.flags;
    int pair[2];

    arguments.flags |= CLONE_PIDFD;
    arguments.pidfd = (uintptr_t)&child.pidfd;
    arguments.exit_signal = SIGCHLD;
    child.pid = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
    if (child.pid == -1) {
        report("socketpair");
        return child;
    }
    if (asked != 0)
        explain_clone(asked);
    child.pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
    /* Seccomp filters, chapter 10's too, can't see the flags of clone3 and so hide the call. */
    if (child.pid == -1 && errno == ENOSYS && !(asked & CLONE_INTO_CGROUP))
        child.pid = (pid_t)syscall(SYS_clone, arguments.flags | SIGCHLD, NULL, &child.pidfd);
    if (child.pid == -1) {
        if (errno == EACCES && (asked & CLONE_INTO_CGROUP))
            hint("that cgroup is outside your branch of the tree: start this with "
                 "'systemd-run --user --scope' too");
        if (errno == EPERM && (asked & CLONE_NEWUSER))
            hint("this machine may keep user namespaces for root: 'make doctor' names the setting");
        report("clone3");
        return child;
    }

    bool in_box = child.pid == 0;
    child.sync = pair[in_box];
    close(pair[!in_box]);
    if (in_box) {
        child.pidfd = -1;
        tool_side("box");
        if (to_host == -1)
            atexit(report_failure);
        to_host = child.sync;
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

/* How many bytes the other side sends; 0 if its end is closed: it has failed, died or executed. */
static ssize_t receive(const struct child *child)
{
    char word[8];
    ssize_t got = recv(child->sync, word, sizeof(word), 0);

    return got == -1 && errno == ECONNRESET ? 0 : got;
}

void spawn_wait_go(const struct child *child)
{
    ssize_t got = receive(child);

    if (got == -1)
        die("wait for the host");
    if (got == 0)
        _exit(EXIT_TOOL);
}

int spawn_wait_exec(const struct child *child)
{
    ssize_t got = receive(child);

    return got == -1 ? report("wait for the command to start") : got == 0;
}

void spawn_exec(const struct child *child, char **command)
{
    spawn_tie(child); /* again: a change of credentials has cleared it */
    exec_command(command);
}

/* Reap every child that has ended. True, with the status, once CHILD itself was among them. */
static bool reap(const struct child *child, int *status)
{
    bool ended = false;
    int each;
    pid_t pid;

    while ((pid = waitpid(-1, &each, WNOHANG)) > 0) {
        if (pid != child->pid)
            continue;
        ended = true;
        *status = WIFSIGNALED(each) ? EXIT_SIGNAL + WTERMSIG(each) : WEXITSTATUS(each);
    }
    return ended;
}

int spawn_wait(const struct child *child)
{
    sigset_t signals = spawn_signals();
    siginfo_t info;
    int status = EXIT_TOOL;

    spawn_hold_stops(false);
    while (!reap(child, &status)) {
        if (sigwaitinfo(&signals, &info) == -1)
            continue; /* EINTR: stopped and continued */
        /*
         * The terminal sends its signals (SI_KERNEL) to the whole foreground group, so the command
         * has received this one already, unless it has left the group. Only a hangup goes to the
         * session leader alone.
         */
        bool from_terminal = info.si_code == SI_KERNEL && info.si_signo != SIGHUP &&
                             getpgid(child->pid) == getpgrp();
        if (info.si_signo != SIGCHLD && !from_terminal)
            syscall(SYS_pidfd_send_signal, child->pidfd, info.si_signo, NULL, 0);
    }
    spawn_hold_stops(true);
    return status;
}
