#define _GNU_SOURCE
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../09-overlay/descriptor.h"
#include "background.h"

/* Bytes on their way in one direction. */
struct flow {
    int from, to; /* either is -1 once it has ended */
    size_t start, end;
    char bytes[1024];
};

static struct relay {
    int box, signals;           /* pidfd and signalfd(2); -1 once the box has ended */
    int master;                 /* -1 if it has no terminal of its own */
    int last_rounds;            /* after its end */
    struct flow flows[STREAMS]; /* standard input, output, error */
} relay;

/* --- what the box gets ------------------------------------------------------------------------ */

void streams_check_shell(const struct spec *spec)
{
    if (spec->interactive || spec->tty || spec->detach || spec->view || !isatty(STDIN_FILENO))
        return;
    hint("with -it you can type to it");
    fail("no command is given, and a shell would have no input");
}

/*
 * Does the box get the tool's own stream? Yes, unless it is a terminal. To open /dev/stdout is to
 * open a pipe once more, and then its owner and mode count. A pipe without a name is found only by
 * those that hold it already, or may look into a process that does: so its mode lets everybody in,
 * in the one direction. Its owner stays, because an owner could read what others write.
 */
static bool pass_on(int standard)
{
    struct statfs system;
    struct stat status;

    if (fstat(standard, &status) == -1)
        die("look at standard stream %d", standard);
    if (S_ISFIFO(status.st_mode) && fstatfs(standard, &system) == 0 &&
        system.f_type == PIPEFS_MAGIC)
        (void)fchmod(standard, status.st_mode | (standard == STDIN_FILENO ? 0444 : 0222));
    return !S_ISCHR(status.st_mode) || !isatty(standard);
}

/* Returns the box's end. OURS never blocks: the box may take what poll(2) has promised. */
static int open_pipe(bool input, uint32_t first_id, int *ours)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) == -1 || fcntl(ends[input], F_SETFL, O_NONBLOCK) == -1)
        die("pipe");
    if (first_id != 0 && fchown(ends[!input], first_id, first_id) == -1)
        die("give a pipe to user %u", first_id);
    (void)fchmod(ends[!input], input ? 0644 : 0622);
    *ours = ends[input];
    return ends[!input];
}

void streams_open(struct spec *spec, int log)
{
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++) {
        bool input = i == STDIN_FILENO, detached = log != -1;
        int box = 0, ours = -1, outside = !detached ? i : input ? -1 : log;
        if (spec->tty || (!detached && pass_on(i)))
            ;
        else if (input && (detached || !spec->interactive))
            box = open("/dev/null", O_RDONLY | O_CLOEXEC);
        else if (i == STDERR_FILENO && spec->streams[STDOUT_FILENO] != 0)
            box = spec->streams[STDOUT_FILENO]; /* the same pipe, so lines stay in their order */
        else
            box = open_pipe(input, spec->first_id, &ours);
        if (box == -1)
            die("open /dev/null");
        spec->streams[i] = box;
        relay.flows[i].from = input ? outside : ours;
        relay.flows[i].to = input ? ours : outside;
    }
}

void streams_keep_errors(void)
{
    int errors = fcntl(tool_errors(), F_DUPFD_CLOEXEC, 0);

    if (errors == -1)
        die("keep standard error open");
    tool_errors_to(errors);
}

/* A stream that is the host's null device becomes the box's, whose mount is read-only (04): so the
 * box can't change the owner and the mode of the host's. */
static void take_own_null(int standard)
{
    struct stat status;

    if (fstat(standard, &status) == -1 || !S_ISCHR(status.st_mode) ||
        status.st_rdev != makedev(1, 3))
        return;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null != -1 && dup2(null, standard) == -1)
        die("dup2");
    close(null);
}

void streams_enter(const struct spec *spec, int terminal)
{
    streams_keep_errors();
    if (terminal != -1 && ioctl(terminal, TIOCSCTTY, 0) == -1)
        die("make the terminal the controlling one");
    for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; standard++) {
        int file = terminal != -1 ? terminal : spec->streams[standard];
        if (file != 0 && dup2(file, standard) == -1)
            die("dup2");
        take_own_null(standard);
    }
}

/* --- a terminal ------------------------------------------------------------------------------- */

/* The size of the host's window is that of the box's terminal too, whose kernel then sends SIGWINCH
 * inside. */
static void follow_size(int master)
{
    struct winsize size;

    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        ioctl(master, TIOCSWINSZ, &size);
}

int terminal_open(const struct root *dev, const struct child *child, uid_t owner, bool console)
{
    char name[32];
    int locked = 0, master = open_inside(dev->directory, "/pts/ptmx", O_RDWR | O_NOCTTY, 0);

    if (master == -1 || ioctl(master, TIOCSPTLCK, &locked) == -1)
        die("open /dev/pts/ptmx in the box");
    /* By ioctl, not by the name /dev/pts/N, which may lead to another file (CVE-2025-52565). */
    int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave == -1 || fchown(slave, owner, (gid_t)-1) == -1)
        die("open a terminal for user %u", owner);
    if (console) {
        snprintf(name, sizeof(name), "/proc/self/fd/%d", slave);
        mount_bind(dev, name, "/console", 0);
    }
    follow_size(master); /* here already: the monitor may come later than the command */
    if (descriptors_send(child->sync, &master, 1) != 0)
        exit(EXIT_TOOL);
    close(master);
    return slave;
}

int terminal_receive(const struct child *child)
{
    int master = -1, error = descriptors_receive(child->sync, &master, 1);

    if (error != 0 && error != -EPIPE)
        exit(EXIT_TOOL); /* the box runs, on a terminal that nobody has */
    return master;
}

/* --- the monitor copies ----------------------------------------------------------------------- */

/* The terminal at standard input as it was before it was made raw. */
static struct termios before;
static bool is_raw;

/* Raw: each key goes to the box as it is, Ctrl-C too; what it does, the box's terminal knows. */
static void make_raw(void)
{
    struct termios raw = before;

    cfmakeraw(&raw);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

/* At exit. In the background, the shell has set the terminal to its own taste: let it be. */
static void restore(void)
{
    pid_t foreground = tcgetpgrp(STDIN_FILENO); /* -1: the terminal isn't our session's */

    if (foreground == -1 || foreground == getpgrp())
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static void take_signal(void)
{
    struct signalfd_siginfo info;

    if (read(relay.signals, &info, sizeof(info)) != sizeof(info))
        return;
    int signal = (int)info.ssi_signo;
    if (signal == SIGCONT && is_raw)
        make_raw(); /* the shell that continued us has set it to its own taste */
    if (signal == SIGCONT || (signal == SIGWINCH && relay.master != -1))
        follow_size(relay.master);
    else
        syscall(SYS_pidfd_send_signal, relay.box, signal, NULL, 0);
}

/* Write what has been read, else read. False at the end: end-of-file, or nobody reads any more. */
static bool move_bytes(struct flow *flow)
{
    ssize_t count;

    if (flow->start < flow->end) {
        count = log_write(flow->to, flow->bytes + flow->start, flow->end - flow->start);
        flow->start += count > 0 ? (size_t)count : 0;
    } else {
        count = read(flow->from, flow->bytes, sizeof(flow->bytes));
        flow->start = 0;
        flow->end = count > 0 ? (size_t)count : 0;
    }
    return count > 0 || (count == -1 && (errno == EINTR || errno == EAGAIN));
}

/*
 * A stream has ended on one side: so let it end on the other. With its pipe closed, the box gets
 * end-of-file or SIGPIPE. If it has a terminal whose output nobody reads any more, that is hung up
 * (SIGHUP), as when a window is closed. For the end of input, type what a person would: Ctrl-D,
 * twice, because the first only ends a line.
 */
static void end_flow(int standard)
{
    struct flow *flow = &relay.flows[standard], *in = &relay.flows[STDIN_FILENO];
    struct termios settings;

    flow->start = flow->end = 0;
    if (flow == in && flow->from != -1 && tcgetattr(relay.master, &settings) == 0) {
        flow->bytes[0] = flow->bytes[1] = (char)settings.c_cc[VEOF];
        flow->end = 2;
        flow->from = -1;
        return;
    }
    close(flow == in ? flow->to : flow->from);
    flow->from = flow->to = -1;
    if (relay.master != -1)
        in->from = in->to = relay.master = -1;
}

/*
 * One round: wait until something can move, and move it. Once the box has ended, what it wrote may
 * still be on the way, but no more input; then false, at the latest after so many rounds: a process
 * that 'exec' left behind could write forever.
 */
static bool step(void)
{
    enum { SIGNALS, BOX, FLOWS, COUNT = FLOWS + STREAMS, LAST_ROUNDS = 1 << 12 };
    struct pollfd ready[COUNT] = {{relay.signals, POLLIN, 0}, {relay.box, POLLIN, 0}};
    bool pending = false;

    for (int i = 0; i < STREAMS; i++) {
        struct flow *flow = &relay.flows[i];
        ready[FLOWS + i] = (struct pollfd){flow->to != -1 ? flow->from : -1, POLLIN, 0};
        if (flow->start < flow->end) {
            pending = true;
            ready[FLOWS + i] = (struct pollfd){flow->to, POLLOUT, 0};
        }
    }
    int count = poll(ready, COUNT, relay.box == -1 && !pending ? 0 : -1);
    if (count == -1 && errno != EINTR)
        die("poll");
    if (ready[BOX].revents) {
        relay.box = relay.signals = -1;
        relay.flows[STDIN_FILENO] = (struct flow){.from = -1, .to = -1};
        return true;
    }
    if (ready[SIGNALS].revents)
        take_signal();
    for (int i = 0; i < STREAMS; i++)
        if (ready[FLOWS + i].revents && !move_bytes(&relay.flows[i]))
            end_flow(i);
    return relay.box != -1 || (count != 0 && ++relay.last_rounds < LAST_ROUNDS);
}

void streams_relay(int master, const struct child *child)
{
    struct flow *in = &relay.flows[STDIN_FILENO], *out = &relay.flows[STDOUT_FILENO];
    sigset_t signals = spawn_signals();

    sigaddset(&signals, SIGCONT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    sigdelset(&signals, SIGCHLD); /* stays pending for spawn_wait() */
    relay.box = child->pidfd;
    relay.master = master;
    relay.signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (relay.signals == -1)
        die("signalfd");
    spawn_hold_stops(false);
    if (master != -1) {
        /* Held, so that the master doesn't end when the box's programs close theirs for a while. */
        (void)ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        in->to = out->from = master;
        fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
        follow_size(master);
        is_raw = in->from != -1 && tcgetattr(STDIN_FILENO, &before) == 0;
    }
    if (is_raw) {
        atexit(restore);
        make_raw();
    }
    while (step())
        ;
    spawn_hold_stops(true); /* from here on it's undoing */
}
