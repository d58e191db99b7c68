#include "workbox.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../01-chroot/cause.h"
#include "../01-chroot/program.h"
#include "../01-chroot/tool.h"
#include "../02-uts/spawn.h"
#include "../03-pid/proc.h"
#include "../04-mnt/mount.h"
#include "../06-user/idmap.h"
#include "overlay.h"
#include "pump.h"
#include "whiteout.h"

bool work_keeps_owners(void)
{
    unsigned inside, outside, count;
    char line[64];

    first_line("/proc/self/uid_map", line, sizeof(line));
    return geteuid() == 0 && sscanf(line, "%u %u %u", &inside, &outside, &count) == 3 &&
           count >= 65536;
}

enum { READING = 3 }; /* the place of the directory that is only read */

/* A root with the programs of this machine and their libraries, and "/work". Nothing else. */
static void enter_root(const struct work *work)
{
    static const char *const programs[] = {
        "/usr", "/bin", "/sbin",           "/lib", "/lib32", "/lib64", "/etc/alternatives",
        "/nix", "/gnu", "/etc/ld.so.cache"};
    const struct stack nothing = {.count = 0};
    const char *scratch = overlay_scratch(&nothing, work->directory);

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
            mount_bind(&root, programs[i], programs[i], true);
    if (work->directory != NULL)
        mount_bind(&root, work->directory, "/work", false);
    mount_read_only(&root);
    root_pivot(&root);
    if (work->directory != NULL && chdir("/work") == -1)
        die("chdir /work");
    if (work->reading != 0 && (fchdir(READING) == -1 || close(READING) == -1))
        die("go to the directory that is read");
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

static noreturn void run_program(const struct work *work, int errors)
{
    sigset_t none;

    if (dup2(errors, STDERR_FILENO) == -1)
        die("dup2");
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* What tar and gzip take from the environment (TAR_OPTIONS, GZIP, a language) is not for here.
     */
    clearenv();
    setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", 1);
    setenv("LC_ALL", "C", 1);
    drop_capabilities();
    execvp(work->command[0], (char **)work->command);
    die("%s", work->command[0]);
}

/* The first line that the program says, but for tar's note on how it makes names harmless. */
static void read_errors(int errors, char *line, size_t size)
{
    FILE *stream = fdopen(errors, "r");
    bool found = false;
    char *text = NULL;
    size_t room = 0;

    if (stream == NULL)
        die("read the program's errors");
    while (getline(&text, &room, stream) != -1) {
        if (found || strstr(text, ": Removing leading") != NULL)
            continue;
        found = true;
        snprintf(line, size, "%.*s", (int)strcspn(text, "\n"), text);
    }
    free(text);
    fclose(stream);
}

/* PID 1 of the box: it has no other children than the program. */
static noreturn void run_box(const struct work *work)
{
    char line[512] = "";
    int errors[2];

    enter_root(work);
    if (pipe2(errors, O_CLOEXEC) == -1)
        die("pipe");
    pid_t program = fork();
    if (program == -1)
        die("fork");
    if (program == 0)
        run_program(work, errors[1]);
    close(errors[1]);
    close(STDIN_FILENO); /* or the program's end would go unnoticed at the other ends */
    close(STDOUT_FILENO);
    read_errors(errors[0], line, sizeof(line));

    int status = process_wait(program);
    if (status == EXIT_SIGNAL + SIGPIPE) /* its reader has gone, which is the one to complain */
        exit(EXIT_TOOL);
    if (status != 0) {
        if (strstr(line, "mknod") != NULL && !work_keeps_owners())
            hint("only root may make device files: load this image as root");
        if (line[0] == '\0')
            fail("%s: %s ended with status %d", work->label, work->command[0], status);
        fail("%s: %s", work->label, line);
    }
    if (work->whiteouts && whiteouts_from_image(".") != 0)
        exit(EXIT_TOOL);
    exit(EXIT_SUCCESS);
}

pid_t work_start(const struct work *work)
{
    bool ordinary = geteuid() != 0;
    struct id_map users = idmap_single(0, geteuid()), groups = idmap_single(0, getegid());
    struct child child = spawn(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC |
                               (ordinary ? CLONE_NEWUSER : 0));

    if (child.pid == 0) {
        if (ordinary) {
            spawn_wait_go(&child);
            idmap_become_root(&users, &groups, false);
            spawn_tie(&child);
        }
        int reading = work->reading != 0 ? work->reading : -1;
        place_descriptors((int[]){work->input, work->output, reading}, 3);
        run_box(work);
    }
    if (ordinary) {
        idmap_write(child.pid, &users, &groups, false);
        spawn_go(&child);
    }
    return child.pid; /* child.sync stays open: its end tells the box that the tool has died */
}
