#include "stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../01-chroot/tool.h"
#include "../08-cgroup/group.h"
#include "commands.h"
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

/* BYTES for people: 12.3M. */
static void name_size(long long bytes, char *text, size_t size)
{
    static const char units[] = "BKMGT";
    double number = (double)bytes;
    int unit = 0;

    for (; number >= 1024 && units[unit + 1] != '\0'; unit++)
        number /= 1024;
    snprintf(text, size, unit == 0 ? "%.0f%c" : "%.1f%c", number, units[unit]);
}

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
            name_size(strtoll(value[i], NULL, 10), value[i], sizeof(value[i]));
    }
    snprintf(text, size, "%s / %s", value[0], value[1]);
}

struct use stats_read(const struct spec *state)
{
    struct use use = {"-", "-", "-"};

    if (state->cgroup[0] == '\0')
        return use;
    long long used = group_number(state->cgroup, "cpu.stat", "usage_usec");
    double seconds = difftime(time(NULL), state->created) + 1;
    if (used >= 0)
        snprintf(use.cpu, sizeof(use.cpu), "%.2fs (%.1f%%)", (double)used / 1e6,
                 (double)used / 1e4 / seconds);
    read_pair(state->cgroup, "memory", use.memory, sizeof(use.memory));
    read_pair(state->cgroup, "pids", use.pids, sizeof(use.pids));
    return use;
}

int command_stats(int argc, char **argv)
{
    const struct option none = {NULL, 0, NULL, 0};
    int status = EXIT_SUCCESS;
    struct spec state;

    command_parse(argc, argv, "full stats", usage, none);
    bool all = optind == argc;
    char **names = argv + optind;
    int count = all ? state_list(&names) : argc - optind;
    printf("%-24s %-20s %-20s %s\n", "NAME", "CPU", "MEMORY", "PROCESSES");
    for (int i = 0; i < count; i++) {
        if (state_read(names[i], &state) < 0) {
            status = all ? status : EXIT_TOOL; /* it may just have ended */
            continue;
        }
        if (all && !state.running)
            continue;
        struct use use = stats_read(&state);
        printf("%-24s %-20s %-20s %s\n", names[i], use.cpu, use.memory, use.pids);
    }
    return status;
}
