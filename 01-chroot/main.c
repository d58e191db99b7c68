/*
 * chroot: run a command with another directory as its root.
 *
 * One system call, chroot(2), changes what "/" means for a process. Nothing else changes: the
 * command shares processes, network, users, host name and everything else with the host, and root
 * can get out again. That is why there are nine more chapters.
 */
#include "program.h"
#include "root.h"
#include "tool.h"
#include "view.h"

static const char usage[] =
    "Usage: chroot [OPTION]... [--] NEWROOT [COMMAND [ARG]...]\n"
    "Run COMMAND (/bin/sh if none is given) with NEWROOT as its root directory.\n"
    "\n"
    "@\n"
    "\n"
    "Example: chroot rootfs /bin/ls -l /\n"
    "\n"
    "The same in the shell:\n"
    "  sudo chroot ./rootfs /bin/bash\n";

static const char *parse_options(int argc, char **argv)
{
    static const struct option options[] = {TOOL_OPTIONS};
    int option;

    tool_start(argv, "chroot", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS, options, NULL)) != -1)
        tool_option(option);
    if (optind == argc)
        fail("missing directory: chroot NEWROOT [COMMAND]");
    return argv[optind++];
}

int main(int argc, char **argv)
{
    const char *new_root = parse_options(argc, argv);

    root_enter(new_root);
    view_in_place_of_command(); /* with --view */
    exec_command(tool_command(argc, argv));
}
