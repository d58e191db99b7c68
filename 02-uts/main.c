/*
 * uts: run a command with a host name of its own.
 *
 * The first namespace of the course and the smallest. The child is born in a new UTS namespace,
 * which begins as a copy of the old one. Then it changes its names, and the host never notices.
 */
#include <sched.h>
#include <stddef.h>

#include "../01-chroot/tool.h"
#include "../01-chroot/view.h"
#include "spawn.h"
#include "uts.h"

static const char usage[] =
    "Usage: uts [OPTION]... [--] [COMMAND [ARG]...]\n"
    "Run COMMAND (/bin/sh if none is given) with a host and domain name of its own.\n"
    "\n"
    "  -H, --hostname=NAME    host name inside, up to 64 bytes (default: as outside)\n"
    "  -D, --domainname=NAME  NIS domain name inside (default: as outside)\n"
    "@\n"
    "\n"
    "Example: uts --hostname bird uname -n\n"
    "\n"
    "The same in the shell:\n"
    "  unshare --uts /bin/sh\n"
    "  hostname bird\n";

int main(int argc, char **argv)
{
    static const struct option options[] = {{"hostname", required_argument, NULL, 'H'},
                                            {"domainname", required_argument, NULL, 'D'},
                                            TOOL_OPTIONS};
    const char *hostname = NULL, *domainname = NULL;
    uint64_t namespaces = 0;
    int option;

    tool_start(argv, "uts", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS "H:D:", options, NULL)) != -1) {
        if (option == 'H')
            hostname = optarg;
        else if (option == 'D')
            domainname = optarg;
        else
            tool_option(option);
    }

    /* EXERCISE 2.1: choose the namespace that the child should have to itself. clone(2) */
    namespaces = CLONE_NEWUTS;
    /* END */
    struct child child = spawn(namespaces);
    if (child.pid == 0) { /* in the box */
        uts_set_names(hostname, domainname);
        view_in_place_of_command(); /* with --view */
        spawn_exec(&child, tool_command(argc, argv));
    }
    return spawn_wait(&child); /* on the host */
}
