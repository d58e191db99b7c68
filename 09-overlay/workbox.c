#include "workbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../01-chroot/program.h"
#include "../01-chroot/tool.h"
#include "../02-uts/spawn.h"
#include "../03-pid/proc.h"
#include "../04-mnt/inside.h"
#include "../04-mnt/mount.h"
#include "../06-user/idmap.h"
#include "overlay.h"
#include "pump.h"
#include "whiteout.h"

struct complaint {
    char text[1024], hint[128];
};

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
            mount_bind(&root, programs[i], programs[i], MS_NODEV | MS_RDONLY);
    if (work->directory != NULL) /* there may be devices and programs of strangers, not for use */
        mount_bind(&root, work->directory, "/work", MS_NOSUID | MS_NODEV | MS_NOEXEC);
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

/* The first words of the program, but for tar's note on how it makes names harmless. */
static void read_errors(int errors, char *line, size_t size)
{
    FILE *stream = fdopen(errors, "r");
    bool found = false;
    char *text = NULL;
    size_t room = 0;

    if (stream == NULL)
        die("read the program's errors");
    while (getline(&text, &room, stream) != -1) {
        if (found || text[0] == '\n' || strstr(text, ": Removing leading") != NULL)
            continue;
        found = true;
        snprintf(line, size, "%.*s", (int)strcspn(text, "\n"), text);
    }
    free(text);
    fclose(stream);
}

static void complain(const struct work *work, int status, const char *line,
                     struct complaint *complaint)
{
    struct statvfs disk;

    if (strstr(line, "mknod") != NULL && !work_keeps_owners())
        strcpy(complaint->hint, "only root may make device files: load this image as root");
    /* tar's first word on a full disk is about the bytes that it could still write */
    if (work->directory != NULL && statvfs(".", &disk) == 0 && disk.f_bavail == 0)
        line = "No space left on device, in the store of images";
    if (line[0] != '\0')
        snprintf(complaint->text, sizeof(complaint->text), "%s: %s", work->label, line);
    else
        snprintf(complaint->text, sizeof(complaint->text), "%s: %s ended with status %d",
                 work->label, work->command[0], status);
}

/* What the program is to have as standard input; what is put into INTO, unless -1, appears there.
 */
static int open_input(const struct work *work, int *into)
{
    int ends[2] = {STDIN_FILENO, -1};

    if (work->whiteouts && work->reading != 0)
        ends[0] = whiteouts_write(STDOUT_FILENO);
    else if (work->whiteouts && pump_pipe(ends) != 0)
        exit(EXIT_TOOL);
    if (ends[0] < 0)
        exit(EXIT_TOOL);
    *into = ends[1];
    return ends[0];
}

/* PID 1 of the box: it has no other children than the program. */
static noreturn void run_box(const struct work *work, struct complaint *complaint)
{
    struct whiteouts whiteouts = {.length = 0};
    char line[512] = "";
    int errors[2], into;

    enter_root(work);
    /* The first words are enough: the program goes on when there is no room for more. */
    if (pipe2(errors, O_CLOEXEC) == -1 || fcntl(errors[1], F_SETFL, O_NONBLOCK) == -1)
        die("pipe");
    int input = open_input(work, &into);
    pid_t program = fork();
    if (program == -1)
        die("fork");
    if (program == 0) {
        if (dup2(input, STDIN_FILENO) == -1)
            die("dup2");
        run_program(work, errors[1]);
    }
    close(errors[1]);
    close(input); /* or the program's end would go unnoticed at the other ends */
    close(STDOUT_FILENO);
    if (into != -1) {
        signal(SIGPIPE, SIG_IGN);
        whiteouts = whiteouts_pass(STDIN_FILENO, into);
    }

    int status = process_wait(program);
    read_errors(errors[0], line, sizeof(line));
    if (status != 0) {
        complain(work, status, line, complaint);
        exit(EXIT_TOOL);
    }
    exit(whiteouts_make(&whiteouts) == 0 ? EXIT_SUCCESS : EXIT_TOOL);
}

struct worker_box work_start(const struct work *work)
{
    struct complaint *complaint =
        mmap(NULL, sizeof(*complaint), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool ordinary = geteuid() != 0;
    struct id_map users = idmap_single(0, geteuid()), groups = idmap_single(0, getegid());

    if (nothing == -1 || complaint == MAP_FAILED)
        die("%s", work->label);
    struct child child = spawn(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC |
                               (ordinary ? CLONE_NEWUSER : 0));
    if (child.pid == 0) {
        if (ordinary) {
            spawn_wait_go(&child);
            idmap_become_root(&users, &groups, false);
            spawn_tie(&child);
        }
        place_descriptors((int[]){work->input < 0 ? nothing : work->input,
                                  work->output < 0 ? nothing : work->output,
                                  work->reading == 0 ? -1 : work->reading},
                          3);
        run_box(work, complaint);
    }
    if (ordinary) {
        idmap_write(child.pid, &users, &groups, false);
        spawn_go(&child);
    }
    close(nothing);
    /* child.sync stays open: its end would tell the box that the tool has died */
    return (struct worker_box){.pid = child.pid, .complaint = complaint};
}

int work_wait(const struct worker_box *box)
{
    return process_wait(box->pid) == 0 ? 0 : -EINVAL;
}

int work_tell(const struct worker_box *box)
{
    const struct complaint *complaint = box->complaint;

    if (complaint->text[0] == '\0')
        return -EINVAL;
    if (complaint->hint[0] != '\0')
        hint("%s", complaint->hint);
    return refuse("%s", complaint->text);
}
