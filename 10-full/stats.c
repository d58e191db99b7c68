#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../08-cgroup/usage.h"
#include "state.h"

static const char usage[] = "Usage: full stats [OPTION]... [BOX]...\n"
                            "Show what running boxes use, beside their limits (default: all).\n"
                            "\n"
                            "@\n"
                            "\n"
                            "Example: full stats web\n"
                            "\n"
                            "The same in the shell:\n"
                            "  cd /sys/fs/cgroup/ten-steps/NUMBER; cat cpu.stat memory.current\n";

int command_stats(int argc, char **argv)
{
    const struct option none = {NULL, 0, NULL, 0};
    int status = EXIT_SUCCESS;
    struct spec box;

    command_parse(argc, argv, "full stats", usage, none);
    bool all = optind == argc;
    char **name = all ? state_list() : argv + optind;
    for (; name != NULL && *name != NULL; name++) {
        if (state_read(*name, &box) < 0)
            status = all ? status : EXIT_TOOL; /* it may just have ended */
        else if (box.running || !all)
            usage_print(STDOUT_FILENO, box.name, box.cgroup, difftime(time(NULL), box.created) + 1,
                        "current");
    }
    return status;
}
