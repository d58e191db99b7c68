#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../01-chroot/tool.h"
#include "../08-cgroup/group.h"
#include "../08-cgroup/usage.h"
#include "state.h"

static const char usage[] =
    "Usage: full stats [OPTION]... [BOX]...\n"
    "Show what boxes use now (default: all that run).\n"
    "\n"
    "@\n"
    "\n"
    "Example: full stats web\n"
    "\n"
    "The same in the shell:\n"
    "  cat /sys/fs/cgroup/GROUP/cpu.stat /sys/fs/cgroup/GROUP/memory.current\n";

/* What CONTROLLER counts now, and its limit: "NOW / LIMIT", "-" for what isn't there. */
static void read_pair(const char *group, const char *controller, char *text, size_t size)
{
    static const char *const files[] = {"current", "max"};
    char file[32], value[2][24];

    for (int i = 0; i < 2; i++) {
        snprintf(file, sizeof(file), "%s.%s", controller, files[i]);
        if (group_read(group, file, value[i], sizeof(value[i])) != 0)
            snprintf(value[i], sizeof(value[i]), "-");
        else if (strcmp(controller, "memory") == 0 && strcmp(value[i], "max") != 0)
            usage_size(strtoll(value[i], NULL, 10), value[i], sizeof(value[i]));
    }
    snprintf(text, size, "%s / %s", value[0], value[1]);
}

static void print_row(const struct spec *box)
{
    char cpu[32] = "-", memory[72] = "-", pids[72] = "-";
    const char *group = box->cgroup;

    if (group[0] != '\0') {
        long long used = group_number(group, "cpu.stat", "usage_usec");
        double seconds = difftime(time(NULL), box->created) + 1;
        if (used >= 0)
            snprintf(cpu, sizeof(cpu), "%.2fs (%.1f%%)", (double)used / 1e6,
                     (double)used / 1e4 / seconds);
        read_pair(group, "memory", memory, sizeof(memory));
        read_pair(group, "pids", pids, sizeof(pids));
    }
    printf("%-24s %-20s %-20s %s\n", box->name, cpu, memory, pids);
}

int command_stats(int argc, char **argv)
{
    const struct option none = {NULL, 0, NULL, 0};
    int status = EXIT_SUCCESS;
    struct spec box;

    command_parse(argc, argv, "full stats", usage, none);
    bool all = optind == argc;
    char **names = argv + optind;
    int count = all ? state_list(&names) : argc - optind;
    printf("%-24s %-20s %-20s %s\n", "NAME", "CPU", "MEMORY", "PROCESSES");
    for (int i = 0; i < count; i++) {
        if (state_read(names[i], &box) < 0)
            status = all ? status : EXIT_TOOL; /* it may just have ended */
        else if (box.running || !all)
            print_row(&box);
    }
    return status;
}
