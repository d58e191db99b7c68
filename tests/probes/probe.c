/*
 * probe: what the checks let run inside a box, where there may be neither a shell nor libraries.
 *
 * Each subcommand does one small thing and reports the outcome by its output and exit status (0:
 * it worked, 1: it didn't). It is linked statically where the libc allows it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed(const char *what)
{
    fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
    return 1;
}

/* pause: stay until killed. */
static noreturn void stay(void)
{
    for (;;)
        pause();
}

/* args ARG…: print the arguments, one a line. */
static int print_arguments(char **arguments)
{
    for (; *arguments != NULL; arguments++)
        puts(*arguments);
    return 0;
}

/* env NAME: print an environment variable. */
static int print_variable(const char *name)
{
    const char *value = getenv(name);
    return value == NULL ? 1 : puts(value) < 0;
}

/* cat FILE */
static int print_file(const char *path)
{
    char text[4096];
    ssize_t length;
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file == -1)
        return failed(path);
    while ((length = read(file, text, sizeof(text))) > 0)
        fwrite(text, 1, (size_t)length, stdout);
    close(file);
    return length == -1 ? failed(path) : 0;
}

/* write FILE TEXT: write TEXT to a file that may have to be made. */
static int write_file(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    if (file == -1)
        return failed(path);
    ssize_t written = write(file, text, strlen(text));
    return written == -1 || close(file) == -1 ? failed(path) : 0;
}

/* fds: print the numbers of all open file descriptors in one line. */
static int print_descriptors(void)
{
    const char *space = "";

    for (int i = 0; i < 4096; i++) {
        if (fcntl(i, F_GETFD) == -1)
            continue;
        printf("%s%d", space, i);
        space = " ";
    }
    puts("");
    return 0;
}

/* ids: process, parent, group and session, as this process sees them. */
static int print_ids(void)
{
    printf("pid=%d ppid=%d pgid=%d sid=%d\n", getpid(), getppid(), getpgrp(), getsid(0));
    printf("uid=%d euid=%d gid=%d egid=%d\n", getuid(), geteuid(), getgid(), getegid());
    return 0;
}

static int signal_number(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT},   {"TERM", SIGTERM},
                   {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"WINCH", SIGWINCH}, {"KILL", SIGKILL}};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        if (strcmp(name, signals[i].name) == 0)
            return signals[i].number;
    return atoi(name);
}

/* kill PID SIGNAL */
static int send_signal(const char *pid, const char *name)
{
    return kill(atoi(pid), signal_number(name)) == -1 ? failed("kill") : 0;
}

/* signals: print "ready", then the number of each signal that arrives; SIGTERM ends it, with 0. */
static int print_signals(void)
{
    static const char *const names[] = {"HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "WINCH"};
    sigset_t set;
    int number = 0;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        sigaddset(&set, signal_number(names[i]));
    sigprocmask(SIG_BLOCK, &set, NULL);
    puts("ready");
    while (number != SIGTERM) {
        fflush(stdout);
        if (sigwait(&set, &number) == 0)
            printf("%d\n", number);
    }
    return 0;
}

/* blocked: print the signals that are blocked or ignored when a command starts. */
static int print_blocked(void)
{
    sigset_t mask;
    struct sigaction action;

    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int i = 1; i < NSIG; i++) {
        if (sigismember(&mask, i))
            printf("blocked %d\n", i);
        if (sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            printf("ignored %d\n", i);
    }
    return 0;
}

static int open_loopback(const char *port, struct sockaddr_in *address)
{
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* listen PORT: print "ready" and wait for one connection to 127.0.0.1:PORT. */
static int listen_on(const char *port)
{
    struct sockaddr_in address;
    int yes = 1, server = open_loopback(port, &address);

    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(server, (struct sockaddr *)&address, sizeof(address)) == -1 || listen(server, 1) == -1)
        return failed("listen");
    puts("ready");
    fflush(stdout);
    return accept(server, NULL, NULL) == -1 ? failed("accept") : 0;
}

/* connect PORT: connect to 127.0.0.1:PORT. */
static int connect_to(const char *port)
{
    struct sockaddr_in address;
    int client = open_loopback(port, &address);

    if (connect(client, (struct sockaddr *)&address, sizeof(address)) == -1)
        return failed("connect");
    return 0;
}

/* lo: switch the loopback interface on. */
static int switch_on(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return ioctl(any, SIOCSIFFLAGS, &request) == -1 ? failed("lo") : 0;
}

/* mq-make NAME, mq-open NAME: a POSIX message queue, made or found. */
static int use_queue(const char *name, int flags)
{
    mqd_t queue = mq_open(name, flags, 0600, NULL);
    return queue == (mqd_t)-1 ? failed(name) : mq_close(queue);
}

/* queue-make KEY: a new System V message queue; an error if there is one with that key. */
static int make_queue(const char *key)
{
    return msgget(atoi(key), IPC_CREAT | IPC_EXCL | 0600) == -1 ? failed("msgget") : 0;
}

/*
 * zombie: leave an orphan behind, which ends at once, and look whether its new parent (process 1,
 * perhaps this process itself) reaps it within a second.
 */
static int look_for_zombie(void)
{
    int ends[2];
    pid_t orphan = 0;
    char path[64];

    if (pipe(ends) == -1)
        return failed("pipe");
    pid_t child = fork();
    if (child == 0) {
        orphan = fork();
        if (orphan > 0 && write(ends[1], &orphan, sizeof(orphan)) != sizeof(orphan))
            _exit(1);
        _exit(0);
    }
    if (waitpid(child, NULL, 0) != child || read(ends[0], &orphan, sizeof(orphan)) == -1)
        return failed("orphan");
    snprintf(path, sizeof(path), "/proc/%d/stat", orphan);
    for (int i = 0; i < 100 && access(path, F_OK) == 0; i++)
        usleep(10000);
    puts(access(path, F_OK) == 0 ? "zombie" : "reaped");
    return 0;
}

/* ptrace PID: may this process trace that one? */
static int trace(const char *pid)
{
    return ptrace(PTRACE_SEIZE, atoi(pid), NULL, NULL) == -1 ? failed("ptrace") : 0;
}

static int with_two_arguments(char **a)
{
    if (strcmp(a[1], "kill") == 0)
        return send_signal(a[2], a[3]);
    if (strcmp(a[1], "write") == 0)
        return write_file(a[2], a[3]);
    return -1;
}

static int with_one_argument(char **a)
{
    if (strcmp(a[1], "env") == 0)
        return print_variable(a[2]);
    if (strcmp(a[1], "cat") == 0)
        return print_file(a[2]);
    if (strcmp(a[1], "listen") == 0)
        return listen_on(a[2]);
    if (strcmp(a[1], "connect") == 0)
        return connect_to(a[2]);
    if (strcmp(a[1], "queue-make") == 0)
        return make_queue(a[2]);
    if (strcmp(a[1], "mq-make") == 0)
        return use_queue(a[2], O_RDWR | O_CREAT | O_EXCL);
    if (strcmp(a[1], "mq-open") == 0)
        return use_queue(a[2], O_RDWR);
    if (strcmp(a[1], "mq-unlink") == 0)
        return mq_unlink(a[2]) == -1 ? failed(a[2]) : 0;
    if (strcmp(a[1], "ptrace") == 0)
        return trace(a[2]);
    if (strcmp(a[1], "exit") == 0)
        return atoi(a[2]);
    return -1;
}

static int without_arguments(char **a)
{
    if (strcmp(a[1], "lo") == 0)
        return switch_on();
    if (strcmp(a[1], "pause") == 0)
        stay();
    if (strcmp(a[1], "fds") == 0)
        return print_descriptors();
    if (strcmp(a[1], "ids") == 0)
        return print_ids();
    if (strcmp(a[1], "signals") == 0)
        return print_signals();
    if (strcmp(a[1], "blocked") == 0)
        return print_blocked();
    if (strcmp(a[1], "zombie") == 0)
        return look_for_zombie();
    return -1;
}

int main(int argc, char **argv)
{
    int status = -1;

    if (argc >= 2 && strcmp(argv[1], "args") == 0)
        status = print_arguments(argv + 2);
    else if (argc == 4)
        status = with_two_arguments(argv);
    else if (argc == 3)
        status = with_one_argument(argv);
    else if (argc == 2)
        status = without_arguments(argv);
    if (status == -1)
        fprintf(stderr, "probe: unknown subcommand, or wrong number of arguments\n");
    return status == -1 ? 2 : status;
}
