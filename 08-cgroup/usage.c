#include "usage.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "group.h"

enum { CELL = 32 };

double usage_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_row(int file, const char *name, const char *used, const char *limit,
                      const char *held)
{
    dprintf(file, "%-12s %12s %12s  %s\n", name, used, limit, held);
}

/* BYTES as people write them: "63.9M". */
static void write_size(long long bytes, char *text)
{
    static const char units[] = "BKMGT";
    double value = (double)bytes;
    int unit = 0;

    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    snprintf(text, CELL, unit == 0 ? "%.0f%c" : "%.1f%c", value, units[unit]);
}

static void print_cpu(int file, const char *group, double seconds)
{
    char used[CELL] = "-", limit[CELL] = "-", max[64], held[96] = "";
    double quota, period, time = (double)group_number(group, "cpu.stat", "usage_usec") / 1e6;
    long long throttled = group_number(group, "cpu.stat", "nr_throttled");

    if (time >= 0)
        snprintf(used, sizeof(used), "%.2fs %3.0f%%", time, 100 * time / seconds);
    group_read(group, "cpu.max", max, sizeof(max)); /* "max 100000" means no limit */
    if (sscanf(max, "%lf %lf", &quota, &period) == 2)
        snprintf(limit, sizeof(limit), "%.0f%%", 100 * quota / period);
    if (throttled > 0)
        snprintf(held, sizeof(held), "held back in %lld of %lld periods, for %.2fs", throttled,
                 group_number(group, "cpu.stat", "nr_periods"),
                 (double)group_number(group, "cpu.stat", "throttled_usec") / 1e6);
    print_row(file, "cpu", used, limit, held);
}

/* The number in CONTROLLER.WHAT, or "-" if there is none, or no limit: "max". */
static void read_cell(const char *group, const char *controller, const char *what, char *text)
{
    char name[CELL];

    snprintf(name, sizeof(name), "%s.%s", controller, what);
    group_read(group, name, text, CELL);
    if (!isdigit((unsigned char)text[0]))
        strcpy(text, "-");
    else if (strcmp(controller, "memory") == 0)
        write_size(strtoll(text, NULL, 10), text);
}

static void print_counted(int file, const char *group, const char *controller, const char *when)
{
    char used[CELL], limit[CELL], held[96] = "";

    read_cell(group, controller, when, used);
    read_cell(group, controller, "max", limit);
    if (strcmp(controller, "memory") == 0) {
        /* EXERCISE 8.4: how often was the limit reached, and how many processes died of that? If
           either happened, HELD becomes such as "limit reached 36 times, 1 killed". cgroups(7) */
        long long reached = group_number(group, "memory.events", "max");
        long long killed = group_number(group, "memory.events", "oom_kill");
        if (reached > 0 || killed > 0)
            snprintf(held, sizeof(held), "limit reached %lld times, %lld killed", reached, killed);
        /* END */
    } else {
        long long refused = group_number(group, "pids.events", "max");
        if (refused > 0)
            snprintf(held, sizeof(held), "%lld forks refused", refused);
    }
    print_row(file, controller, used, limit, held);
}

/* The bytes behind KEY in all lines of io.stat, one line a disk. */
static void print_io(int file, const char *group, const char *name, const char *key)
{
    char text[8192], used[CELL];
    long long sum = 0;

    if (group_read(group, "io.stat", text, sizeof(text)) != 0)
        return;
    for (const char *found = text; (found = strstr(found, key)) != NULL;)
        sum += strtoll(found += strlen(key), NULL, 10);
    write_size(sum, used);
    print_row(file, name, used, "-", "");
}

void usage_print(int file, const char *title, const char *group, double seconds, const char *when)
{
    print_row(file, title, "USED", "LIMIT", "");
    print_cpu(file, group, seconds);
    print_counted(file, group, "memory", when);
    print_counted(file, group, "pids", when);
    print_io(file, group, "read", " rbytes=");
    print_io(file, group, "written", " wbytes=");
}
