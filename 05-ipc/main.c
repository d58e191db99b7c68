/*
 * ipc: run a command with System V objects and POSIX message queues of its own.
 *
 * A process finds shared memory, semaphores and message queues by a key or name that anybody can
 * guess. In a new IPC namespace all keys and names are free, and nobody else's objects exist.
 */
#include <sched.h>
#include <stddef.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../01-chroot/view.h"
#include "../02-uts/spawn.h"
#include "../03-pid/proc.h"
#include "ipc.h"

static const char usage[] = "Usage: ipc [OPTION]... [--] [COMMAND [ARG]...]\n"
                            "Run COMMAND (/bin/sh if none is given) with IPC objects of its own.\n"
                            "\n"
                            "@\n"
                            "\n"
                            "Example: ipc ipcs\n"
                            "\n"
                            "The same in the shell:\n"
                            "  ipcmk -Q\n"
                            "  unshare --ipc ipcs -q\n";

int main(int argc, char **argv)
{
    static const struct option options[] = {TOOL_OPTIONS};
    uint64_t namespaces = CLONE_NEWNS; /* for a /dev/mqueue of its own */
    int option;

    tool_start(argv, "ipc", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS, options, NULL)) != -1)
        tool_option(option);

    /* EXERCISE 5.1: give the child its own IPC objects. clone(2) */
    namespaces |= CLONE_NEWIPC;
    /* END */
    struct child child = spawn(namespaces);
    if (child.pid == 0) { /* in the box */
        mounts_make_private();
        struct root root = root_at("");
        ipc_mount_queues(&root, "/dev/mqueue");
        close(root.directory);
        view_in_place_of_command(); /* with --view */
        spawn_exec(&child, tool_command(argc, argv));
    }
    return spawn_wait(&child); /* on the host */
}
