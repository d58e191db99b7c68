/*
 * pid: run a command as process 1 of its own.
 *
 * The child is the first process of a new pid namespace. It cannot name a process outside, so it
 * cannot signal one. But ps reads /proc, and the old /proc still shows the host. So the box gets a
 * mount namespace too, and mounts a /proc of its own there.
 */
#include <sched.h>
#include <stddef.h>

#include "../01-chroot/tool.h"
#include "../01-chroot/view.h"
#include "../02-uts/spawn.h"
#include "init.h"
#include "proc.h"

static const char usage[] =
    "Usage: pid [OPTION]... [--] [COMMAND [ARG]...]\n"
    "Run COMMAND (/bin/sh if none is given) as PID 1 of its own pid namespace,\n"
    "with its own /proc.\n"
    "\n"
    "  -k, --keep-proc        keep the host's /proc (default: mount a new one)\n"
    "  -i, --init             PID 1 is a small init (default: PID 1 is COMMAND)\n"
    "@\n"
    "\n"
    "Example: pid ps ax\n"
    "\n"
    "The same in the shell:\n"
    "  unshare --pid --fork --mount /bin/bash\n"
    "  mount -t proc proc /proc\n"
    "or at once:\n"
    "  unshare --fork --pid --mount-proc /bin/bash\n";

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"keep-proc", no_argument, NULL, 'k'}, {"init", no_argument, NULL, 'i'}, TOOL_OPTIONS};
    bool keep_proc = false, init = false;
    int option;

    tool_start(argv, "pid", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS "ki", options, NULL)) != -1) {
        if (option == 'k')
            keep_proc = true;
        else if (option == 'i')
            init = true;
        else
            tool_option(option);
    }

    uint64_t namespaces = keep_proc ? 0 : CLONE_NEWNS;
    /* EXERCISE 3.1: make the child the first process of a new pid namespace. clone(2) */
    namespaces |= CLONE_NEWPID;
    /* END */
    struct child child = spawn(namespaces);
    if (child.pid == 0) { /* in the box */
        if (!keep_proc) {
            mounts_make_private();
            proc_mount();
        }
        if (init)
            init_stay_behind(&child);
        view_in_place_of_command(); /* with --view */
        spawn_exec(&child, tool_command(argc, argv));
    }
    return spawn_wait(&child); /* on the host */
}
