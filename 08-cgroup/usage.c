#include "usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tree.h"

enum { BAR = 20 };

/* The sum of KEY=NUMBER over all lines of io.stat, one line a disk. */
static long long sum_io(const char *group, const char *key)
{
    char text[8192];
    long long sum = 0;

    if (group_read(group, "io.stat", text, sizeof(text)) != 0)
        return -1;
    for (const char *found = text; (found = strstr(found, key)) != NULL;) {
        found += strlen(key);
        sum += strtoll(found, NULL, 10);
    }
    return sum;
}

static long long read_number(const char *group, const char *file)
{
    char text[32];
    return group_read(group, file, text, sizeof(text)) == 0 ? strtoll(text, NULL, 10) : -1;
}

double usage_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct cgroup_usage usage_read(const char *group, double seconds)
{
    struct cgroup_usage usage = {
        .seconds = seconds,
        .cpu_us = group_number(group, "cpu.stat", "usage_usec"),
        .periods = group_number(group, "cpu.stat", "nr_periods"),
        .throttled = group_number(group, "cpu.stat", "nr_throttled"),
        .throttled_us = group_number(group, "cpu.stat", "throttled_usec"),
        .memory_peak = read_number(group, "memory.peak"),
        .memory_limit_hit = group_number(group, "memory.events", "max"),
        .oom_kills = -1,
        .pids_peak = read_number(group, "pids.peak"),
        .pids_refused = group_number(group, "pids.events", "max"),
        .io_read = sum_io(group, " rbytes="),
        .io_written = sum_io(group, " wbytes="),
    };

    /* EXERCISE 8.4: how many processes did the kernel kill to keep the limit? cgroups(7) */
    usage.oom_kills = group_number(group, "memory.events", "oom_kill");
    /* END */
    return usage;
}

/* BYTES as people write them: "63.9M". */
static void write_bytes(char *text, size_t size, long long bytes)
{
    static const char units[] = "BKMGT";
    double value = (double)bytes;
    int unit = 0;

    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    snprintf(text, size, unit == 0 ? "%.0f" : "%.1f%c", value, units[unit]);
}

/* One row. SHARE is how much of the limit was used, from 0 to 1; below 0 there was none. */
static void print_row(const char *name, const char *used, const char *limit, double share,
                      const char *bit)
{
    char bar[BAR + 1] = "";

    if (isatty(STDERR_FILENO)) {
        int filled = share < 0 ? 0 : share > 1 ? BAR : (int)(share * BAR + 0.5);
        memset(bar, share < 0 ? ' ' : '.', BAR);
        memset(bar, '#', (size_t)filled);
        bar[BAR] = '\0';
    }
    dprintf(STDERR_FILENO, "%-7s %12s %12s  %s%s%s\n", name, used, limit, bar, bar[0] ? "  " : "",
            bit);
}

static void print_cpu(const struct cgroup_usage *usage, const char *limit)
{
    char used[32] = "?", allowed[32] = "-", bit[96] = "";
    double quota, period = 100000, share = -1;
    double cpus = (double)usage->cpu_us / 1e6 / (usage->seconds > 0 ? usage->seconds : 1);

    if (usage->cpu_us >= 0)
        snprintf(used, sizeof(used), "%.2fs %3.0f%%", (double)usage->cpu_us / 1e6, 100 * cpus);
    if (limit != NULL && sscanf(limit, "%lf %lf", &quota, &period) >= 1) {
        snprintf(allowed, sizeof(allowed), "%.0f%%", 100 * quota / period);
        share = cpus / (quota / period);
    }
    if (usage->throttled > 0)
        snprintf(bit, sizeof(bit), "held back in %lld of %lld periods, for %.2fs", usage->throttled,
                 usage->periods, (double)usage->throttled_us / 1e6);
    print_row("cpu", used, allowed, share, bit);
}

static void print_memory(const struct cgroup_usage *usage, const char *limit)
{
    char used[32] = "?", allowed[32] = "-", bit[96] = "";
    double most = limit != NULL ? strtod(limit, NULL) : 0;

    if (usage->memory_peak >= 0)
        write_bytes(used, sizeof(used), usage->memory_peak);
    if (most > 0)
        write_bytes(allowed, sizeof(allowed), (long long)most);
    if (usage->memory_limit_hit > 0 || usage->oom_kills > 0)
        snprintf(bit, sizeof(bit), "limit reached %lld times, %lld killed", usage->memory_limit_hit,
                 usage->oom_kills);
    print_row("memory", used, allowed, most > 0 ? (double)usage->memory_peak / most : -1, bit);
}

static void print_pids(const struct cgroup_usage *usage, const char *limit)
{
    char used[32] = "?", bit[96] = "";
    double most = limit != NULL ? strtod(limit, NULL) : 0;

    if (usage->pids_peak >= 0)
        snprintf(used, sizeof(used), "%lld", usage->pids_peak);
    if (usage->pids_refused > 0)
        snprintf(bit, sizeof(bit), "%lld forks refused", usage->pids_refused);
    print_row("pids", used, limit != NULL ? limit : "-",
              most > 0 ? (double)usage->pids_peak / most : -1, bit);
}

static void print_io(const struct cgroup_usage *usage)
{
    char text[16], used[32];

    if (usage->io_read < 0)
        return;
    write_bytes(text, sizeof(text), usage->io_read);
    snprintf(used, sizeof(used), "%s", text);
    print_row("read", used, "-", -1, "");
    write_bytes(text, sizeof(text), usage->io_written);
    snprintf(used, sizeof(used), "%s", text);
    print_row("written", used, "-", -1, "");
}

void usage_print(const struct cgroup_usage *usage, const struct cgroup_limits *limits)
{
    dprintf(STDERR_FILENO, "%-7s %12s %12s  %s\n", "", "USED", "LIMIT", "");
    print_cpu(usage, limit_find(limits, "cpu.max"));
    print_memory(usage, limit_find(limits, "memory.max"));
    print_pids(usage, limit_find(limits, "pids.max"));
    print_io(usage);
}
