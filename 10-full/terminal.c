#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
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

/*
 * A new master. What is called ptmx could be anything of the image's, and to open some devices does
 * things: so look before, and stay in the devpts that was looked at.
 */
static int open_master(const struct root *dev)
{
    struct statfs system;
    int pts = root_find(dev, "/pts");

    if (pts == -1 || fstatfs(pts, &system) == -1)
        die("/dev/pts in the box");
    if (system.f_type != DEVPTS_SUPER_MAGIC)
        fail("/dev/pts in the box: is not a devpts file system");
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
    if (descriptors_send(child->sync, &master, 1) != 0)
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
    int master = -1, error = descriptors_receive(child->sync, &master, 1);

    if (error != 0 && error != -EPIPE)
        exit(EXIT_TOOL); /* the box runs, on a terminal that nobody has */
    return master;
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

/* A process cannot restore the terminal after its own crash or SIGKILL. So a child waits at a pipe
 * for the tool's end. In a session of its own it may set the terminal from the background. */
static void start_guard(void)
{
    int ends[2];
    char byte;

    if (pipe2(ends, O_CLOEXEC) == -1)
        die("pipe");
    undo.guard = ends[1];
    undo.guard_pid = fork();
    if (undo.guard_pid == -1)
        die("fork");
    if (undo.guard_pid == 0) {
        setsid();
        dup2(undo.terminal, 0);
        dup2(ends[0], 1);
        syscall(SYS_close_range, 2, ~0U, 0); /* lest others wait for the end of what it holds */
        while (read(1, &byte, 1) == -1 && errno == EINTR)
            ;
        tcsetattr(0, TCSANOW, &undo.before);
        _exit(0);
    }
    close(ends[0]);
}

/* Raw: each key goes to the box as it is, Ctrl-C too; what it does, the box's terminal knows. */
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

/* The monitor's loop: what it copies, and whose signals it passes on. */

/* Bytes on their way in one direction. FROM and TO are -1 once they have ended. */
struct flow {
    int from, to;
    size_t start, end;
    char bytes[1024];
};

struct relay {
    const struct child *child;
    int master; /* -1 if the box has no terminal of its own */
    int signals;
    struct flow flows[STREAMS];
};

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

/*
 * PID 1 without a handler never sees Ctrl-C. The first one says so, the third ends the box, as with
 * docker. At a raw terminal, a line would begin where the one above it has ended.
 */
static void insist(const struct child *child, int signal)
{
    enum { ENOUGH = 3 };
    static int dropped;

    if ((signal != SIGINT && signal != SIGTERM) || !signal_was_dropped(child->pid, signal))
        return;
    if (++dropped == ENOUGH)
        syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
    if (dropped != 1)
        return;
    bool raw = undo.terminal != -1 && !is_in_background(undo.terminal);
    if (raw)
        tcsetattr(undo.terminal, TCSADRAIN, &undo.before);
    hint("a third one ends the box; with --init, each signal ends a command like this one");
    (void)refuse("the command has no handler for %s, which PID 1 needs",
                 signal == SIGINT ? "SIGINT" : "SIGTERM");
    if (raw)
        make_raw();
}

static void take_signal(const struct relay *relay)
{
    struct signalfd_siginfo info;

    if (read(relay->signals, &info, sizeof(info)) != sizeof(info))
        return;
    int signal = (int)info.ssi_signo;
    if (signal == SIGCONT && undo.terminal != -1)
        make_raw(); /* the shell that continued us has set it to its own taste */
    if (signal == SIGCONT || (signal == SIGWINCH && relay->master != -1)) {
        follow_size(relay->master);
        return;
    }
    syscall(SYS_pidfd_send_signal, relay->child->pidfd, signal, NULL, 0);
    insist(relay->child, signal);
}

/* Ctrl-C on its way to the box's terminal, which makes a signal of each for the group in front. */
static void watch_keys(const struct relay *relay)
{
    const struct flow *in = &relay->flows[STDIN_FILENO];
    struct termios settings;

    if (relay->master == -1 || tcgetattr(relay->master, &settings) == -1 ||
        !(settings.c_lflag & ISIG) || tcgetpgrp(relay->master) != relay->child->pid)
        return;
    for (size_t i = in->start; i < in->end; i++)
        if ((cc_t)in->bytes[i] == settings.c_cc[VINTR])
            insist(relay->child, SIGINT);
}

static bool is_empty(const struct flow *flow)
{
    return flow->start == flow->end;
}

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

/* Write once; what is left stays for the next time. False if nobody reads any more. */
static bool flow_out(struct flow *flow)
{
    ssize_t put = log_write(flow->to, flow->bytes + flow->start, flow->end - flow->start);

    if (put > 0)
        flow->start += (size_t)put;
    return put >= 0 || errno == EINTR || errno == EAGAIN;
}

/* The box's pipe is closed. Its terminal can't be closed by halves, but what a person would type
 * says the same: Ctrl-D, twice, because the first only ends a line. */
static void end_input(struct relay *relay)
{
    struct flow *in = &relay->flows[STDIN_FILENO];
    struct termios settings;

    in->from = -1;
    if (relay->master == -1) {
        close(in->to);
        in->to = -1;
    } else if (tcgetattr(relay->master, &settings) == 0) {
        in->bytes[0] = in->bytes[1] = (char)settings.c_cc[VEOF];
        in->start = 0;
        in->end = 2;
    }
}

/* Nobody reads there any more. A box that writes on to a pipe gets a SIGPIPE; its terminal is hung
 * up with the master (SIGHUP), as when a window is closed. What is typed is the shell's again. */
static void hang_up(struct relay *relay, int standard)
{
    struct flow *in = &relay->flows[STDIN_FILENO], *flow = &relay->flows[standard];

    if (flow != in)
        close(flow->from);
    if (flow == in || relay->master != -1)
        in->from = in->to = -1;
    flow->from = flow->to = relay->master = -1;
}

/*
 * Reading a terminal from the background stops the job (SIGTTIN), but poll(2) there doesn't. To
 * read nothing does, as if the box's program had the terminal; or it is an error, and so the end.
 */
static void check_job(struct relay *relay)
{
    struct flow *in = &relay->flows[STDIN_FILENO];

    if (is_empty(in) && in->from != -1 && in->to != -1 && read(in->from, in->bytes, 0) == -1 &&
        errno == EIO)
        end_input(relay);
}

/* One of the streams can move: write what has been read, or read. */
static void move(struct relay *relay, int standard)
{
    struct flow *flow = &relay->flows[standard];

    if (!is_empty(flow)) {
        if (!flow_out(flow))
            hang_up(relay, standard);
    } else if (flow_in(flow)) {
        if (standard == STDIN_FILENO)
            watch_keys(relay);
    } else if (standard == STDIN_FILENO) {
        end_input(relay);
    } else {
        flow->from = -1;
    }
}

/* One round: wait until something can move, and move it. False once the box has ended. */
static bool step(struct relay *relay)
{
    enum { SIGNALS, DIED, FLOWS, COUNT = FLOWS + STREAMS };
    struct pollfd ready[COUNT] = {{relay->signals, POLLIN, 0}, {relay->child->pidfd, POLLIN, 0}};

    check_job(relay);
    for (int i = 0; i < STREAMS; i++) {
        struct flow *flow = &relay->flows[i];
        if (!is_empty(flow))
            ready[FLOWS + i] = (struct pollfd){flow->to, POLLOUT, 0};
        else
            ready[FLOWS + i] = (struct pollfd){flow->to != -1 ? flow->from : -1, POLLIN, 0};
    }
    if (poll(ready, COUNT, -1) == -1) {
        if (errno != EINTR)
            die("poll");
        return true;
    }
    if (ready[DIED].revents) /* what it wrote is drain()'s; to read in the background would stop */
        return false;
    if (ready[SIGNALS].revents)
        take_signal(relay);
    for (int i = 0; i < STREAMS; i++)
        if (ready[FLOWS + i].revents)
            move(relay, i);
    return true;
}

/* The box has ended: what it wrote may still be on the way. No more than that: a process that
 * 'exec -t' left behind could write for ever. */
static void drain(struct flow *out)
{
    struct pollfd ready = {out->from, POLLIN, 0};

    for (int reads = 0; out->to != -1;) {
        if (is_empty(out) && (++reads > 1 << 10 || poll(&ready, 1, 0) != 1 || !flow_in(out)))
            return;
        if (!is_empty(out) && !flow_out(out))
            return;
    }
}

void terminal_relay(int master, const struct child *child, const struct streams *streams)
{
    static struct relay relay;

    relay = (struct relay){.child = child, .master = master, .signals = open_signals()};
    spawn_hold_stops(false);
    for (int i = 0; i < STREAMS; i++)
        relay.flows[i] =
            (struct flow){.from = streams->routes[i].from, .to = streams->routes[i].to};
    if (master != -1) {
        /* Held, so that the master doesn't end when the box's programs close theirs for a while. */
        (void)ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        relay.flows[STDIN_FILENO].to = relay.flows[STDOUT_FILENO].from = master;
        fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
        take_terminal(relay.flows[STDIN_FILENO].from);
        follow_size(master);
    }
    while (step(&relay))
        ;
    spawn_hold_stops(true); /* from here on it's undoing */
    drain(&relay.flows[STDOUT_FILENO]);
    drain(&relay.flows[STDERR_FILENO]);
    restore_terminal();
}
