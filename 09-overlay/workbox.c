#define _GNU_SOURCE
#include "workbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "../04-mnt/mount.h"
#include "../06-user/idmap.h"
#include "store.h"

/* A root with the programs of this machine and their libraries, and "/layer". Nothing else. */
static void enter_root(const char *directory)
{
    static const char *const programs[] = {
        "/usr", "/bin", "/sbin",           "/lib", "/lib32", "/lib64", "/etc/alternatives",
        "/nix", "/gnu", "/etc/ld.so.cache"};
    static const char place[] = "/proc"; /* where no DIRECTORY lies, which the mount would cover */

    mounts_make_private();
    mount_new("tmpfs", place, MS_NOSUID | MS_NODEV, "mode=755,size=1m");
    struct root root = root_at(place);
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
        if (access(programs[i], F_OK) == 0)
            mount_bind(&root, programs[i], programs[i], MS_NODEV | MS_RDONLY);
    /* There may be devices and programs of strangers, not for use. */
    mount_bind(&root, directory, "/layer", MS_NOSUID | MS_NODEV | MS_NOEXEC);
    mount_read_only(&root);
    root_pivot(&root);
    if (chdir("/layer") == -1)
        die("chdir /layer");
}

static void use(int file, int standard)
{
    if (dup2(file, standard) == -1)
        die("dup2");
}

struct child work_start(const char *directory, int input, int output)
{
    bool ordinary = geteuid() != 0;
    struct id_map users = {{{0, geteuid(), 1}}, 1}, groups = {{{0, getegid(), 1}}, 1};
    struct child child = spawn(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC |
                               (ordinary ? CLONE_NEWUSER : 0));

    if (child.pid != 0) {
        if (ordinary) {
            idmap_write(&child, &users, &groups, false);
            spawn_go(&child);
        }
        spawn_hold_stops(false); /* several may be at work: spawn() has held them off for each */
        return child;
    }
    store_forget();
    if (ordinary) {
        spawn_wait_go(&child);
        idmap_become_root(&users, &groups, false);
        spawn_tie(&child);
    }
    use(input != -1 ? input : open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
    use(output != -1 ? output : open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
    use(child.sync, STDERR_FILENO);
    if (syscall(SYS_close_range, 3, ~0U, 0) == -1)
        die("close_range");
    enter_root(directory);
    return child;
}

/* The box has ended: pass on what it has written to its standard error. */
static void close_box(struct child *child)
{
    char text[4096];
    ssize_t got;

    while ((got = recv(child->sync, text, sizeof(text), MSG_DONTWAIT)) > 0)
        if (text[got - 1] == '\n') /* and not what spawn() sends */
            (void)!write(tool_errors(), text, (size_t)got);
    close(child->pidfd);
    close(child->sync);
    child->pid = 0;
}

/* Before what they write to is removed, all of them have to be gone. */
static noreturn void end_all(const struct child *boxes, size_t count, int status)
{
    for (size_t i = 0; i < count; i++)
        if (boxes[i].pid != 0 && kill(boxes[i].pid, SIGKILL) == 0)
            waitpid(boxes[i].pid, NULL, 0);
    exit(status);
}

void work_wait(struct child *boxes, size_t count, size_t limit)
{
    sigset_t signals = spawn_signals();
    int status;

    for (;;) {
        size_t running = 0;
        for (size_t i = 0; i < count; i++) {
            if (boxes[i].pid != 0 && waitpid(boxes[i].pid, &status, WNOHANG) > 0) {
                close_box(&boxes[i]);
                if (status != 0)
                    end_all(boxes, count, EXIT_TOOL);
            }
            running += boxes[i].pid != 0;
        }
        if (running <= limit)
            return;
        int signal = sigwaitinfo(&signals, NULL);
        if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT)
            end_all(boxes, count, EXIT_SIGNAL + signal);
    }
}

void work_run(const char *command, const char *directory, int input, int output, const char *label)
{
    struct child box = work_start(directory, input, output);

    if (box.pid == 0) {
        struct worker worker = worker_start(command, STDIN_FILENO, STDOUT_FILENO);
        worker_end(&worker, label);
        _exit(EXIT_SUCCESS);
    }
    work_wait(&box, 1, 0);
}

void work_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) == -1)
        die("pipe");
    (void)fcntl(ends[0], F_SETPIPE_SZ, 1 << 20); /* a smaller one is only slower */
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
static noreturn void run_program(const char *command)
{
    char *words[32] = {NULL}, *rest = strdup(command);

    if (rest == NULL)
        die("run %s", command);
    for (size_t i = 0; i < 31 && rest != NULL; i++)
        words[i] = strsep(&rest, " ");
    clearenv();
    setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", 1);
    setenv("LC_ALL", "C", 1);
    drop_capabilities();
    execvp(words[0], words);
    if (errno == ENOENT)
        dprintf(STDERR_FILENO, "requires %s, which is not installed\n", words[0]);
    else
        dprintf(STDERR_FILENO, "%s: %m\n", words[0]);
    _exit(EXIT_TOOL);
}

struct worker worker_start(const char *command, int input, int output)
{
    int errors[2];

    work_pipe(errors);
    /* The first words are enough: the program goes on when there is no room for more. */
    if (fcntl(errors[1], F_SETFL, O_NONBLOCK) == -1)
        die("fcntl");
    struct worker worker = {.pid = fork(), .errors = errors[0]};
    if (worker.pid == -1)
        die("fork");
    if (worker.pid == 0) {
        tool_errors_to(errors[1]); /* worker_end() reports what fails from here on */
        use(input, STDIN_FILENO);
        use(output, STDOUT_FILENO);
        use(errors[1], STDERR_FILENO);
        run_program(command);
    }
    close(errors[1]);
    if (input != STDIN_FILENO) /* or the program's end would go unnoticed at the other ends */
        close(input);
    if (output != STDOUT_FILENO)
        close(output);
    return worker;
}

void worker_end(const struct worker *worker, const char *label)
{
    FILE *stream = fdopen(worker->errors, "r");
    char line[512] = "";
    struct statvfs disk;
    int status;

    if (waitpid(worker->pid, &status, 0) == -1 || stream == NULL)
        die("%s", label);
    if (status == 0)
        return;
    /* The first words of the program, but for tar's note on how it makes names harmless. */
    while (fgets(line, sizeof(line), stream) != NULL &&
           (line[0] == '\n' || strstr(line, ": Removing leading") != NULL))
        line[0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    if (strstr(line, "Cannot mknod: Operation not permitted") != NULL)
        hint("only root may make device files: load this image as root");
    /* tar's first word on a full disk is about the bytes that it could still write */
    if (statvfs(".", &disk) == 0 && disk.f_bavail == 0)
        fail("%s: No space left on device, in the store of images", label);
    fail("%s: %s", label, line[0] != '\0' ? line : strsignal(WTERMSIG(status)));
}
