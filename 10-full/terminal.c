#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/inside.h"
#include "../04-mnt/tree.h"
#include "../09-overlay/descriptor.h"
#include "log.h"
#include "signals.h"

#ifndef DEVPTS_SUPER_MAGIC
#define DEVPTS_SUPER_MAGIC 0x1cd1
#endif

/* The window's size is the box's terminal's too; the kernel then sends SIGWINCH inside. */
static void follow_size(int master)
{
    struct winsize size;

    for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; standard++)
        if (ioctl(standard, TIOCGWINSZ, &size) == 0) {
            ioctl(master, TIOCSWINSZ, &size);
            return;
        }
}

/* The box's side. */

static void check_devpts(int file)
{
    struct statfs system;

    if (fstatfs(file, &system) == -1)
        die("look at /dev/pts in the box");
    if (system.f_type != DEVPTS_SUPER_MAGIC)
        fail("/dev/pts in the box: is not a devpts file system");
}

/*
 * A new master. What is called ptmx could be anything of the image's, and to open some devices does
 * things: so look before, and stay in the devpts that was looked at.
 */
static int open_master(const struct root *dev)
{
    int pts = root_find(dev, "/pts");

    if (pts == -1)
        die("/dev/pts in the box");
    check_devpts(pts);
    int master = open_inside(pts, "ptmx", O_RDWR | O_NOCTTY, RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
    if (master == -1)
        die("open /dev/pts/ptmx in the box");
    close(pts);
    return master;
}

/* The slave once more, as /dev/console, where programs write that have no other place. */
static void bind_console(const struct root *dev, int slave)
{
    char name[32];

    snprintf(name, sizeof(name), "/proc/self/fd/%d", slave);
    int place = root_target(dev, "/console", S_IFREG);
    explain("mount --bind /dev/pts/0 %s/console\topen_tree(\"/dev/pts/0\", OPEN_TREE_CLONE)",
            dev->path);
    int tree = tree_copy(name);
    explain("# ... and there it is\tmove_mount(\"%s/console\")", dev->path);
    if (tree == -1 || tree_attach(tree, place) == -1)
        die("bind the terminal to /dev/console");
    close(tree);
    close(place);
}

int terminal_open(const struct root *dev, const struct child *child, uid_t owner, bool console)
{
    int locked = 0;
    int master = open_master(dev);

    if (ioctl(master, TIOCSPTLCK, &locked) == -1)
        die("unlock the terminal");
    /* By ioctl, not by the name /dev/pts/N, which may lead to another file (CVE-2025-52565). */
    int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave == -1)
        die("open the terminal");
    if (fchown(slave, owner, (gid_t)-1) == -1)
        die("give the terminal to user %u", owner);
    if (console)
        bind_console(dev, slave);
    follow_size(master); /* here already: the monitor may come later than the command */
    if (descriptor_send(child->sync, master) != 0)
        exit(EXIT_TOOL);
    close(master);
    return slave;
}

void terminal_become(int slave)
{
    if (setsid() == -1)
        die("setsid");
    if (ioctl(slave, TIOCSCTTY, 0) == -1)
        die("make the terminal the controlling one");
    for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; standard++)
        if (dup2(slave, standard) == -1)
            die("dup2");
    if (slave > STDERR_FILENO)
        close(slave);
}

/* The host's side. */

int terminal_receive(const struct child *child)
{
    int master = descriptor_receive(child->sync);

    if (master < 0 && master != -EPIPE)
        exit(EXIT_TOOL); /* the box runs, on a terminal that nobody has */
    return master < 0 ? -1 : master;
}

/* What has to be undone: the terminal that is raw now, as it was before, and its guard. */
static struct {
    int terminal; /* -1 if none is raw */
    struct termios before;
    int guard; /* this end of the guard's pipe */
    pid_t guard_pid;
} undo = {.terminal = -1, .guard = -1};

/* Once we are in the background, the shell there has set the terminal to its own taste. */
static bool is_in_background(int terminal)
{
    pid_t foreground = tcgetpgrp(terminal); /* -1: not our session's, so nobody stops us */

    return foreground != -1 && foreground != getpgrp();
}

/* The guard of 'exec -t' lies in the box's pid namespace, and may be stopped there: so kill it. */
static void restore_terminal(void)
{
    if (undo.terminal == -1)
        return;
    if (!is_in_background(undo.terminal))
        tcsetattr(undo.terminal, TCSANOW, &undo.before);
    undo.terminal = -1;
    kill(undo.guard_pid, SIGKILL);
    waitpid(undo.guard_pid, NULL, 0);
    close(undo.guard);
}

/*
 * A process cannot restore the terminal after its own crash or SIGKILL. So a child waits at a pipe:
 * end-of-file means that the tool has died. In a session of its own it may set the terminal from
 * the background, and no signal to the tool's group ends it.
 */
static void start_guard(void)
{
    int ends[2];
    char byte;

    if (pipe2(ends, O_CLOEXEC) == -1)
        die("pipe");
    undo.guard_pid = fork();
    if (undo.guard_pid == -1)
        die("fork");
    if (undo.guard_pid > 0) {
        close(ends[0]);
        undo.guard = ends[1];
        return;
    }
    setsid();
    int terminal = dup2(undo.terminal, 0);
    int pipe_end = dup2(ends[0], 1);
    syscall(SYS_close_range, 2, ~0U, 0); /* lest others wait for the end of what it holds */
    ssize_t got;
    do
        got = read(pipe_end, &byte, 1);
    while (got == -1 && errno == EINTR);
    if (got == 0)
        tcsetattr(terminal, TCSANOW, &undo.before);
    _exit(0);
}

/* Raw: each key goes to the box as it is, Ctrl-C and Ctrl-Z too; what they do, its terminal knows.
 */
static void make_raw(void)
{
    struct termios raw = undo.before;

    cfmakeraw(&raw);
    if (tcsetattr(undo.terminal, TCSADRAIN, &raw) == -1)
        die("make the terminal raw");
}

static void take_terminal(int terminal)
{
    if (tcgetattr(terminal, &undo.before) == -1)
        return; /* not a terminal */
    undo.terminal = terminal;
    start_guard();
    atexit(restore_terminal);
    make_raw();
}

static int open_signals(void)
{
    sigset_t set = spawn_signals();

    sigaddset(&set, SIGCONT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigdelset(&set, SIGCHLD); /* stays pending for spawn_wait() */
    int file = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (file == -1)
        die("signalfd");
    return file;
}

/* At a raw terminal, a line would begin where the one above it has ended. */
static void say_dropped(const char *name)
{
    bool raw = undo.terminal != -1 && !is_in_background(undo.terminal);

    if (raw)
        tcsetattr(undo.terminal, TCSADRAIN, &undo.before);
    hint("a third one ends the box; with --init, each signal ends a command like this one");
    (void)refuse("the command has no handler for %s, which PID 1 needs", name);
    if (raw)
        make_raw();
}

/*
 * PID 1 without a handler never sees Ctrl-C. The first one says so, the third ends the box, as with
 * docker.
 */
static void insist(const struct child *child, int signal)
{
    enum { ENOUGH = 3 };
    static int dropped;

    if ((signal != SIGINT && signal != SIGTERM) || !signal_was_dropped(child->pid, signal))
        return;
    if (++dropped == 1)
        say_dropped(signal == SIGINT ? "SIGINT" : "SIGTERM");
    if (dropped == ENOUGH)
        syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
}

static void take_signal(int signals, int master, const struct child *child)
{
    struct signalfd_siginfo info;

    if (read(signals, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo == SIGCONT || (info.ssi_signo == SIGWINCH && master != -1)) {
        if (info.ssi_signo == SIGCONT && undo.terminal != -1)
            make_raw(); /* the shell that continued us has set it to its own taste */
        follow_size(master);
        return;
    }
    syscall(SYS_pidfd_send_signal, child->pidfd, (int)info.ssi_signo, NULL, 0);
    insist(child, (int)info.ssi_signo);
}

/* Bytes on their way in one direction. FROM and TO are -1 once they have ended. */
struct flow {
    int from, to;
    size_t start, end;
    char bytes[1024];
};

/* Read once. False at the end: end-of-file, or EIO from a terminal that nobody holds any more. */
static bool flow_in(struct flow *flow)
{
    ssize_t got = read(flow->from, flow->bytes, sizeof(flow->bytes));

    if (got == -1 && (errno == EINTR || errno == EAGAIN))
        return true;
    flow->start = 0;
    flow->end = got > 0 ? (size_t)got : 0;
    return got > 0;
}

/*
 * Ctrl-C on its way to the box's terminal, which makes a signal of each for the group in front.
 * Several may be read at once.
 */
static void watch_keys(const struct flow *in, const struct child *child)
{
    struct termios settings;

    if (tcgetattr(in->to, &settings) == -1 || !(settings.c_lflag & ISIG) ||
        tcgetpgrp(in->to) != child->pid)
        return;
    for (size_t i = in->start; i < in->end; i++)
        if ((cc_t)in->bytes[i] == settings.c_cc[VINTR])
            insist(child, SIGINT);
}

/* Write once; what is left stays for the next time. False if nobody reads any more. */
static bool flow_out(struct flow *flow)
{
    ssize_t put = log_write(flow->to, flow->bytes + flow->start, flow->end - flow->start);

    if (put > 0)
        flow->start += (size_t)put;
    return put >= 0 || errno == EINTR || errno == EAGAIN;
}

static bool is_empty(const struct flow *flow)
{
    return flow->start == flow->end;
}

/*
 * The end of what comes in. The box's pipe is closed. Its terminal can't be closed by halves, and
 * what a person would type says the same: Ctrl-D, twice, because the first only ends a line.
 */
static void put_end(struct flow *flow, bool is_input)
{
    struct termios settings;

    flow->from = -1;
    if (!is_input)
        return;
    if (tcgetattr(flow->to, &settings) == -1) {
        close(flow->to);
        flow->to = -1;
        return;
    }
    flow->bytes[0] = flow->bytes[1] = (char)settings.c_cc[VEOF];
    flow->start = 0;
    flow->end = 2;
}

/*
 * Nobody reads what the monitor copies there any more. What is typed is the shell's again. A box
 * that writes on to a pipe gets a SIGPIPE. Its terminal is hung up without the master: the session
 * gets a SIGHUP, and writing is an error, as on a terminal whose window has been closed.
 */
static void hang_up(struct flow flows[STREAMS], int standard)
{
    struct flow *in = &flows[STDIN_FILENO], *flow = &flows[standard];

    if (flow != in)
        close(flow->from);
    if (flow == in || in->to == flow->from)
        in->from = in->to = -1;
    flow->from = flow->to = -1;
}

/* The master that is copied to and from; -1 if there is none. */
static int master_of(const struct flow flows[STREAMS])
{
    return flows[STDIN_FILENO].to == flows[STDOUT_FILENO].from ? flows[STDIN_FILENO].to : -1;
}

/*
 * Reading a terminal from the background stops the job (SIGTTIN), but poll(2) there doesn't. To
 * read nothing does, as if the box's program had the terminal; or it is an error, and so the end.
 */
static void check_job(struct flow *in)
{
    if (is_empty(in) && in->from != -1 && in->to != -1 && read(in->from, in->bytes, 0) == -1 &&
        errno == EIO)
        put_end(in, true);
}

/* One round: wait until something can move, and move it. */
static void step(struct flow flows[STREAMS], int signals, const struct child *child,
                 struct pollfd *died)
{
    enum { SIGNALS, DIED, FROM, TO = FROM + STREAMS, COUNT = TO + STREAMS };
    struct pollfd ready[COUNT] = {{signals, POLLIN, 0}, {child->pidfd, POLLIN, 0}};

    check_job(&flows[STDIN_FILENO]);
    for (int i = 0; i < STREAMS; i++) {
        struct flow *flow = &flows[i];
        ready[FROM + i] =
            (struct pollfd){is_empty(flow) && flow->to != -1 ? flow->from : -1, POLLIN, 0};
        ready[TO + i] = (struct pollfd){is_empty(flow) ? -1 : flow->to, POLLOUT, 0};
    }
    int moved = poll(ready, COUNT, -1);
    if (moved == -1 && errno != EINTR)
        die("poll");
    if (moved == -1)
        return;
    *died = ready[DIED];
    if (died->revents) /* what it wrote is drain()'s; from the background, to read would stop us */
        return;
    if (ready[SIGNALS].revents)
        take_signal(signals, master_of(flows), child);
    for (int i = 0; i < STREAMS; i++) {
        if (ready[FROM + i].revents && !flow_in(&flows[i]))
            put_end(&flows[i], i == STDIN_FILENO);
        else if (ready[FROM + i].revents && i == STDIN_FILENO)
            watch_keys(&flows[i], child);
        if (ready[TO + i].revents && !flow_out(&flows[i]))
            hang_up(flows, i);
    }
}

/* The box has ended: what it wrote may still be in the terminal. No more than that: a process that
 * 'exec -t' left behind could write for ever. */
static void drain(struct flow *out)
{
    struct pollfd ready = {out->from, POLLIN, 0};
    size_t most = 1 << 20;

    while (out->to != -1 && (!is_empty(out) || (most > 0 && poll(&ready, 1, 0) == 1))) {
        if (is_empty(out) && !flow_in(out))
            break;
        most -= out->end < most ? out->end : most;
        while (!is_empty(out) && flow_out(out))
            ;
        if (!is_empty(out))
            break;
    }
}

void terminal_relay(int master, const struct child *child, const struct streams *streams)
{
    struct flow flows[STREAMS] = {{.from = -1}};
    struct pollfd died = {0};
    int signals = open_signals();
    spawn_hold_stops(false);
    /* Held so that the master does not end when the box's programs close theirs for a while. */
    int slave = master == -1 ? -1 : ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);

    for (int i = 0; i < STREAMS; i++)
        flows[i] = (struct flow){.from = streams->routes[i].from, .to = streams->routes[i].to};
    if (master != -1) {
        flows[STDIN_FILENO].to = flows[STDOUT_FILENO].from = master;
        fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
        take_terminal(flows[STDIN_FILENO].from);
        follow_size(master);
    }
    while (!died.revents)
        step(flows, signals, child, &died);
    spawn_hold_stops(true); /* from here on it's undoing */
    drain(&flows[STDOUT_FILENO]);
    drain(&flows[STDERR_FILENO]);
    restore_terminal();
    close(signals);
    if (slave != -1)
        close(slave);
    if (flows[STDIN_FILENO].to != -1)
        close(flows[STDIN_FILENO].to);
}
