#include "stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../01-chroot/tool.h"
#include "../08-cgroup/group.h"

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

/* What is in FILE, "-" if it isn't there, as without its controller; a size with AS_SIZE. */
static void read_value(const char *group, const char *file, bool as_size, char *text, size_t size)
{
    char value[24];

    if (group_read(group, file, value, sizeof(value)) != 0)
        snprintf(text, size, "-");
    else if (as_size && strcmp(value, "max") != 0)
        name_size(strtoll(value, NULL, 10), text, size);
    else
        snprintf(text, size, "%s", value);
}

struct use stats_read(const struct state *state)
{
    struct use use = {"-", "-", "-"};
    char now[24], limit[24];

    if (state->cgroup[0] == '\0')
        return use;
    long long used = group_number(state->cgroup, "cpu.stat", "usage_usec");
    double seconds = difftime(time(NULL), state->created) + 1;
    if (used >= 0)
        snprintf(use.cpu, sizeof(use.cpu), "%.2fs (%.1f%%)", (double)used / 1e6,
                 (double)used / 1e4 / seconds);
    read_value(state->cgroup, "memory.current", true, now, sizeof(now));
    read_value(state->cgroup, "memory.max", true, limit, sizeof(limit));
    snprintf(use.memory, sizeof(use.memory), "%s / %s", now, limit);
    read_value(state->cgroup, "pids.current", false, now, sizeof(now));
    read_value(state->cgroup, "pids.max", false, limit, sizeof(limit));
    snprintf(use.pids, sizeof(use.pids), "%.14s / %.14s", now, limit);
    return use;
}

static int print_row(const char *name)
{
    struct state state;

    if (state_read(name, &state) < 0)
        return EXIT_TOOL;
    struct use use = stats_read(&state);
    printf("%-24s %-20s %-20s %s\n", name, use.cpu, use.memory, use.pids);
    return EXIT_SUCCESS;
}

int command_stats(int argc, char **argv)
{
    static const struct option long_options[] = {TOOL_OPTIONS};
    int option, status = EXIT_SUCCESS;
    char **names;

    tool_start(argv, "full stats", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS, long_options, NULL)) != -1)
        tool_option(option);
    printf("%-24s %-20s %-20s %s\n", "NAME", "CPU", "MEMORY", "PROCESSES");
    for (int i = optind; i < argc; i++)
        if (print_row(argv[i]) != EXIT_SUCCESS)
            status = EXIT_TOOL;
    if (optind < argc)
        return status;
    int count = state_list(&names);
    for (int i = 0; i < count; free(names[i++]))
        if (state_monitor(names[i]) != 0)
            (void)print_row(names[i]);
    free(names);
    return EXIT_SUCCESS;
}
