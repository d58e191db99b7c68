/*
 * full: a working container. What the chapters 1 to 9 did one at a time, all at once.
 *
 * The road from clone3(2) to execve(2) is in container.c, one straight line with the number of the
 * chapter that each step comes from.
 */
#include <stdio.h>
#include <string.h>

#include "../01-chroot/tool.h"
#include "container.h"
#include "options.h"

static const char usage[] = "Usage: full [OPTION]... COMMAND\n"
                            "Containers, without a daemon.\n"
                            "\n"
                            "  run ROOTFS [COMMAND]   run a command in a new box\n"
                            "\n"
                            "@\n"
                            "'full COMMAND --help' says more about each.\n"
                            "\n"
                            "Example: full run rootfs\n";

int main(int argc, char **argv)
{
    static const struct option long_options[] = {TOOL_OPTIONS};
    int option;

    tool_start(argv, "full", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS, long_options, NULL)) != -1)
        tool_option(option);
    if (optind == argc)
        fail("a command is missing: run; 'full --help' says more");

    const char *command = argv[optind];
    argc -= optind;
    argv += optind;
    optind = 0; /* start afresh, getopt(3) */
    if (strcmp(command, "run") == 0) {
        struct run_options options = parse_run_options(argc, argv);
        return container_run(&options);
    }
    fail("unknown command '%s'; 'full --help' lists them", command);
}
