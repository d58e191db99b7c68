/*
 * stage: run a program on the host of a tree that is graded.
 *
 * The judge stands outside that host, in a pid and a mount namespace that nothing there can reach.
 * A copy of this program lies, setuid, at the path of each tool, and starts what lies at the same
 * path on the host; as "on-host" it starts its arguments there, or takes away the mount after
 * "--umount", which umount(8) can't do where that covers /proc. Nothing of the judge's goes along:
 * no descriptor, no session, no variable of bats. The user and the working directory do. It passes
 * signals on and ends as the program does, which dies with it.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define JUDGE "/run/judge/" /* tests/bin/judge has links to the namespaces there */

static volatile sig_atomic_t child;

static void pass_on(int number)
{
    kill(child, number);
}

static void join(const char *path, int kind)
{
    int namespace = open(path, O_RDONLY | O_CLOEXEC);
    if (namespace == -1 || setns(namespace, kind) == -1)
        err(125, "%s", path);
}

static void forget_variables(void)
{
    char **kept = environ;

    for (char **variable = environ; *variable != NULL; variable++)
        if (strncmp(*variable, "BATS_", 5) != 0 && strncmp(*variable, "JUDGE_", 6) != 0)
            *kept++ = *variable;
        else
            memset(*variable, 0, strlen(*variable)); /* /proc/PID/environ shows it */
    *kept = NULL;
}

/*
 * This turns us into a process of the host, and it happens before the fork: that host's processes
 * see the child from its birth, and could reach through /proc whatever it still had of the judge's.
 */
static void leave(void)
{
    char directory[PATH_MAX];

    if (getcwd(directory, sizeof(directory)) == NULL)
        err(125, "getcwd");
    join(JUDGE "pid", CLONE_NEWPID);
    join(JUDGE "mnt", CLONE_NEWNS);
    if (chdir(directory) == -1 && chdir("/") == -1)
        err(125, "%s", directory);
    syscall(SYS_close_range, 3, ~0U, 0);
    forget_variables();
}

static void run(const char *program, char **arguments, const sigset_t *mask)
{
    uid_t user = getuid();

    setsid();
    if (setresuid(user, user, user) == -1)
        err(125, "setresuid");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    if (strcmp(program, "--umount") == 0 && arguments[1] != NULL)
        _exit(umount2(arguments[1], MNT_DETACH) == -1);
    execvp(program, arguments);
    err(127, "%s", program);
}

/* End as the program did. */
static int end(int status)
{
    if (WIFSIGNALED(status)) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    static const int passed[] = {SIGINT, SIGHUP, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
    char program[PATH_MAX] = "";
    sigset_t all, mask;
    int status;

    if (readlink("/proc/self/exe", program, sizeof(program) - 1) == -1)
        err(125, "/proc/self/exe");
    int on_host = strcmp(strrchr(program, '/') + 1, "on-host") == 0;
    if (on_host && argc < 2)
        errx(125, "on-host: missing command");
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &mask);
    leave();
    child = fork();
    if (child == -1)
        err(125, "fork");
    if (child == 0)
        run(on_host ? argv[1] : program, argv + on_host, &mask);
    for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
        signal(passed[i], pass_on);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    signal(SIGCHLD, SIG_DFL);
    while (waitpid(child, &status, 0) == -1 && errno == EINTR)
        ; /* a signal came */
    return end(status);
}
