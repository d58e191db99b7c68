/*
 * inject: run a tool and make one of its system calls fail, or kill it just before.
 *
 *     inject --list=FILE [--time=SECONDS] TOOL [ARG]...
 *     inject --process=P --call=N [--number=S] --error=E [--time=SECONDS] TOOL [ARG]...
 *     inject --process=P --call=N [--number=S] --kill    [--time=SECONDS] TOOL [ARG]...
 *
 * The tool is process 1, what it forks 2, and so on; the calls of each are counted from 1. strace
 * can only do this to all processes at once, and then the box's calls and the host's look alike. A
 * process that executes another program than the tool is released: that is the command.
 *
 * The list has a line per call: the process and the numbers of the call and of the system call. The
 * exit status is the tool's. inject waits for the tool's other processes, too. When the time (10
 * seconds) is up it kills all and ends with 99. It ends with 98 if the call was never made, or
 * wasn't system call S this time.
 */
#include <elf.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

enum { MOST = 64, EXIT_NEVER = 98, EXIT_TIME = 99, EXIT_BROKEN = 97 };
enum { ERESTARTNOINTR = 513 }; /* the kernel's own: a lock was not free, or a signal came first */

static struct {
    pid_t pid;
    int calls;
    bool failing; /* this call is the one that fails */
    bool again;   /* the kernel makes this call once more, without the program's knowing */
} processes[MOST];
static int process_count;

static struct {
    FILE *list;
    int process, call, number, error;
    bool kill;
    bool done;
    char tool[PATH_MAX];
} wanted = {.number = -1};

static void broken(const char *what)
{
    perror(what);
    exit(EXIT_BROKEN); /* the kernel kills the traced processes */
}

static int number_of(pid_t pid)
{
    for (int i = 0; i < process_count; i++)
        if (processes[i].pid == pid)
            return i;
    if (process_count == MOST) {
        errno = E2BIG;
        broken("inject");
    }
    processes[process_count].pid = pid;
    return process_count++;
}

/* No system call has this number, so the kernel does nothing and the result can be set. */
static void skip_call(pid_t pid)
{
#if defined(__x86_64__)
    if (ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax), -1L) == -1)
        broken("inject: skip");
#else
    int none = -1;
    struct iovec vector = {&none, sizeof(none)};
    if (ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &vector) == -1)
        broken("inject: skip");
#endif
}

static void set_result(pid_t pid, long result)
{
#if defined(__x86_64__)
    if (ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax), result) == -1)
        broken("inject: result");
#else
    struct user_regs_struct registers;
    struct iovec vector = {&registers, sizeof(registers)};
    if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &vector) == -1)
        broken("inject: result");
    registers.regs[0] = (unsigned long)result;
    if (ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &vector) == -1)
        broken("inject: result");
#endif
}

/* At the entry and at the exit of each system call. */
static void at_call(int process)
{
    pid_t pid = processes[process].pid;
    struct ptrace_syscall_info info;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0)
        return;
    if (info.op == PTRACE_SYSCALL_INFO_EXIT && processes[process].failing) {
        processes[process].failing = false;
        set_result(pid, -wanted.error);
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
        processes[process].again = info.exit.rval == -ERESTARTNOINTR;
    }
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY || processes[process].again)
        return;
    int call = ++processes[process].calls;
    if (wanted.list != NULL)
        fprintf(wanted.list, "%d %d %d\n", process + 1, call, (int)info.entry.nr);
    if (process + 1 != wanted.process || call != wanted.call ||
        (wanted.number != -1 && wanted.number != (int)info.entry.nr))
        return;
    wanted.done = true;
    if (wanted.kill) {
        kill(pid, SIGKILL);
        return;
    }
    processes[process].failing = true;
    skip_call(pid);
}

static bool is_tool(pid_t pid)
{
    char link[64], path[PATH_MAX];

    snprintf(link, sizeof(link), "/proc/%d/exe", pid);
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = '\0';
    return strcmp(path, wanted.tool) == 0 || strncmp(path, "/memfd:", 7) == 0;
}

/* The process PID has stopped. Let it go on. */
static void go_on(pid_t pid, int status)
{
    int event = status >> 16, signal = WSTOPSIG(status), process = number_of(pid);

    if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK) {
        unsigned long child;
        if (ptrace(PTRACE_GETEVENTMSG, pid, 0, &child) != -1)
            number_of((pid_t)child);
    } else if (event == PTRACE_EVENT_EXEC && !is_tool(pid)) {
        ptrace(PTRACE_DETACH, pid, 0, 0);
        return;
    } else if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
        ptrace(PTRACE_LISTEN, pid, 0, 0); /* a stopped job, until SIGCONT */
        return;
    } else if (event == 0 && signal == (SIGTRAP | 0x80)) {
        at_call(process);
    }
    bool deliver = event == 0 && signal != (SIGTRAP | 0x80);
    ptrace(PTRACE_SYSCALL, pid, 0, deliver ? signal : 0); /* ESRCH: it has been killed */
}

static pid_t start(char **command)
{
    const long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
                         PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
    pid_t pid = fork();

    if (pid == 0) {
        raise(SIGSTOP);
        execv(command[0], command);
        broken(command[0]);
    }
    if (pid == -1 || waitpid(pid, NULL, WUNTRACED) == -1 ||
        ptrace(PTRACE_SEIZE, pid, 0, options) == -1)
        broken("inject");
    number_of(pid);
    kill(pid, SIGCONT);
    return pid;
}

static void time_is_up(int signal)
{
    (void)signal;
    _exit(EXIT_TIME);
}

static char **parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"list", required_argument, NULL, 'l'},  {"process", required_argument, NULL, 'p'},
        {"call", required_argument, NULL, 'c'},  {"number", required_argument, NULL, 'n'},
        {"error", required_argument, NULL, 'e'}, {"kill", no_argument, NULL, 'k'},
        {"time", required_argument, NULL, 't'},  {NULL, 0, NULL, 0},
    };
    unsigned seconds = 10;
    int option;

    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (option == 'l')
            wanted.list = fopen(optarg, "we");
        else if (option == 'p')
            wanted.process = atoi(optarg);
        else if (option == 'c')
            wanted.call = atoi(optarg);
        else if (option == 'n')
            wanted.number = atoi(optarg);
        else if (option == 'e')
            wanted.error = atoi(optarg);
        else if (option == 'k')
            wanted.kill = true;
        else if (option == 't')
            seconds = (unsigned)atoi(optarg);
        else
            exit(EXIT_BROKEN);
    }
    if (argv[optind] == NULL || realpath(argv[optind], wanted.tool) == NULL)
        broken("inject");
    signal(SIGALRM, time_is_up);
    alarm(seconds);
    return argv + optind;
}

int main(int argc, char **argv)
{
    char **command = parse(argc, argv);
    pid_t tool = start(command), pid;
    int status, result = EXIT_BROKEN;

    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        if (WIFSTOPPED(status))
            go_on(pid, status);
        else if (pid == tool)
            result = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    if (wanted.process != 0 && !wanted.done)
        return EXIT_NEVER;
    return result;
}
