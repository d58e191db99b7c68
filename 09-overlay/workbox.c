#define _GNU_SOURCE
#include "workbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../02-uts/spawn.h"
#include "../03-pid/proc.h"
#include "../04-mnt/mount.h"
#include "../06-user/idmap.h"
#include "overlay.h"

enum { PIPE = 1 << 20 };

void work_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) == -1)
        die("pipe");
    (void)fcntl(ends[0], F_SETPIPE_SZ, PIPE); /* a smaller one is only slower */
}

void work_close(int file)
{
    if (file > STDERR_FILENO)
        close(file);
}

int work_wait(pid_t process)
{
    int status;

    while (waitpid(process, &status, 0) == -1)
        if (errno != EINTR) {
            (void)report("wait");
            return EXIT_TOOL;
        }
    return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Either side. Standard input and output are to be these. */
static void place(int input, int output)
{
    if (dup2(input, STDIN_FILENO) == -1 || dup2(output, STDOUT_FILENO) == -1)
        die("dup2");
}

/* A root with the programs of this machine and their libraries, and "/work". Nothing else. */
static void enter_root(const char *directory)
{
    static const char *const programs[] = {
        "/usr", "/bin", "/sbin",           "/lib", "/lib32", "/lib64", "/etc/alternatives",
        "/nix", "/gnu", "/etc/ld.so.cache"};
    const struct stack nothing = {.count = 0};
    const char *scratch = overlay_scratch(&nothing, directory);

    if (scratch == NULL)
        exit(EXIT_TOOL);
    mounts_make_private();
    mount_new("tmpfs", scratch, scratch, MS_NOSUID | MS_NODEV, "mode=755,size=1m");
    struct root root = {.path = scratch, .make_missing = true};
    root.directory = open(scratch, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root.directory == -1)
        die("open %s", scratch);
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
        if (access(programs[i], F_OK) == 0)
            mount_bind(&root, programs[i], programs[i], MS_NODEV | MS_RDONLY);
    if (directory != NULL) /* there may be devices and programs of strangers, not for use */
        mount_bind(&root, directory, "/work", MS_NOSUID | MS_NODEV | MS_NOEXEC);
    mount_read_only(&root);
    root_pivot(&root);
    if (directory != NULL && chdir("/work") == -1)
        die("chdir /work");
}

/* On the host, in a process of its own. Returns in the box. */
static void make_box(const char *directory, int input, int output)
{
    bool ordinary = geteuid() != 0;
    int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct id_map users = idmap_single(0, geteuid()), groups = idmap_single(0, getegid());
    if (nothing == -1)
        die("open /dev/null");
    struct child child = spawn(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC |
                               (ordinary ? CLONE_NEWUSER : 0));

    if (child.pid != 0) {
        if (ordinary) {
            idmap_write(child.pid, &users, &groups, false);
            spawn_go(&child);
        }
        _exit(work_wait(child.pid)); /* until then the socket tells the box that we live */
    }
    if (ordinary) {
        spawn_wait_go(&child);
        idmap_become_root(&users, &groups, false);
        spawn_tie(&child);
    }
    place(input, output == -1 ? nothing : output);
    if (syscall(SYS_close_range, 3, ~0U, 0) == -1)
        die("close_range");
    signal(SIGPIPE, SIG_IGN);
    enter_root(directory);
}

pid_t work_start(const char *directory, int input, int output)
{
    pid_t parent = getpid();

    signal(SIGCHLD, SIG_DFL); /* if our parent has us ignore it, there is no exit status */
    pid_t process = fork();
    if (process != 0)
        return process == -1 ? report("fork") : process;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
        die("prctl PR_SET_PDEATHSIG");
    if (getppid() != parent)
        _exit(EXIT_TOOL);
    make_box(directory, input, output);
    return 0;
}

/* What tar needs to give files their owners, modes, capabilities, and to make devices. */
static void drop_capabilities(void)
{
    static const uint64_t kept = 1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_FOWNER |
                                 1ULL << CAP_FSETID | 1ULL << CAP_SETFCAP | 1ULL << CAP_MKNOD;

    for (int i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
        if (!(kept >> i & 1) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == -1)
            die("drop capability %d", i);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
        die("prctl PR_SET_NO_NEW_PRIVS");
}

/* What tar and gzip take from the environment (TAR_OPTIONS, GZIP, a language) is not for here. */
static noreturn void run_program(const char *const *command)
{
    clearenv();
    setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", 1);
    setenv("LC_ALL", "C", 1);
    signal(SIGPIPE, SIG_DFL);
    drop_capabilities();
    execvp(command[0], (char **)command);
    if (errno == ENOENT)
        dprintf(STDERR_FILENO, "requires %s, which is not installed\n", command[0]);
    else
        dprintf(STDERR_FILENO, "%s: %m\n", command[0]);
    _exit(EXIT_TOOL);
}

struct worker worker_start(const char *const *command, int input, int output)
{
    int errors[2];

    work_pipe(errors);
    /* The first words are enough: the program goes on when there is no room for more. */
    if (fcntl(errors[1], F_SETFL, O_NONBLOCK) == -1)
        die("fcntl");
    struct worker worker = {.command = command, .pid = fork(), .errors = errors[0]};
    if (worker.pid == -1)
        die("fork");
    if (worker.pid == 0) {
        if (dup2(errors[1], STDERR_FILENO) == -1)
            _exit(EXIT_TOOL); /* worker_tell() reports that */
        place(input, output);
        run_program(command);
    }
    close(errors[1]);
    work_close(input); /* or the program's end would go unnoticed at the other ends */
    work_close(output);
    return worker;
}

int worker_tell(const struct worker *worker, const char *label, int status)
{
    FILE *stream = fdopen(worker->errors, "r");
    char line[512] = "";
    struct statvfs disk;

    /* The first words of the program, but for tar's note on how it makes names harmless. */
    while (stream != NULL && fgets(line, sizeof(line), stream) != NULL &&
           (line[0] == '\n' || strstr(line, ": Removing leading") != NULL))
        line[0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    if (strstr(line, "Cannot mknod: Operation not permitted") != NULL)
        hint("only root may make device files: load this image as root");
    /* tar's first word on a full disk is about the bytes that it could still write */
    if (statvfs(".", &disk) == 0 && disk.f_bavail == 0)
        return refuse("%s: No space left on device, in the store of images", label);
    if (line[0] != '\0')
        return refuse("%s: %s", label, line);
    return refuse("%s: %s ended with status %d", label, worker->command[0], status);
}
