/*
 * enter: run a command in the namespaces of a process that exists already.
 *
 * This is the third of the three calls that deal with namespaces: setns(2). A descriptor of the
 * process (pidfd_open(2)) stands for all its namespaces, and a set of flags selects those to join.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../01-chroot/view.h"
#include "spawn.h"

static const char usage[] =
    "Usage: enter [OPTION]... [--] PID [COMMAND [ARG]...]\n"
    "Run COMMAND (/bin/sh if none is given) in the namespaces of the process PID.\n"
    "\n"
    "@\n"
    "\n"
    "Example: enter 4711 hostname\n"
    "\n"
    "The same in the shell:\n"
    "  sudo nsenter --target 4711 --all --preserve-credentials\n";

static const struct {
    const char *name; /* below /proc/PID/ns; all but time, which no tool makes new */
    int flag;
} kinds[] = {
    {"user", CLONE_NEWUSER},     {"mnt", CLONE_NEWNS},  {"uts", CLONE_NEWUTS},
    {"ipc", CLONE_NEWIPC},       {"net", CLONE_NEWNET}, {"pid", CLONE_NEWPID},
    {"cgroup", CLONE_NEWCGROUP},
};

/* Is PID in another namespace of this kind than we are? Two links to one have the same inode. */
static bool differs(pid_t pid, const char *name)
{
    struct stat own, other;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
    if (stat(path, &other) == -1)
        die("%s", path);
    snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
    return stat(path, &own) == 0 && own.st_ino != other.st_ino;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {TOOL_OPTIONS};
    int option, flags = 0;

    tool_start(argv, "enter", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS, options, NULL)) != -1)
        tool_option(option);
    if (optind == argc)
        fail("missing process: enter PID [COMMAND]");
    pid_t pid = (pid_t)tool_number(argv[optind++], "process", 1, INT_MAX);
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    if (process == -1)
        die("process %d", pid);

    /* EXERCISE 2.3: join all namespaces in which PID differs from us, at once. setns(2) */
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (differs(pid, kinds[i].name))
            flags |= kinds[i].flag;
    if (flags != 0)
        explain("nsenter -a -t %d --preserve-credentials\tsetns(%d, %#x)", pid, process, flags);
    if (flags != 0 && setns(process, flags) == -1)
        die("setns");
    /* END */
    struct child child = spawn(0); /* only children enter a pid namespace: they are born in it */
    if (child.pid == 0) {
        view_in_place_of_command();
        spawn_exec(&child, tool_command(argc, argv));
    }
    return spawn_wait(&child);
}
