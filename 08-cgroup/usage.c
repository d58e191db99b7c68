#include "usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "group.h"

enum { BAR = 20 };

void usage_size(long long bytes, char *text, size_t size)
{
    static const char units[] = "BKMGT";
    double value = (double)bytes;
    int unit = 0;

    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    snprintf(text, size, unit == 0 ? "%.0f%c" : "%.1f%c", value, units[unit]);
}

double usage_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
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

static void print_cpu(const char *group, double seconds, const char *limit)
{
    char used[32] = "?", allowed[32] = "-", bit[96] = "";
    double quota, period = 100000, share = -1;
    long long time = group_number(group, "cpu.stat", "usage_usec");
    long long throttled = group_number(group, "cpu.stat", "nr_throttled");
    double cpus = (double)time / 1e6 / (seconds > 0 ? seconds : 1);

    if (time >= 0)
        snprintf(used, sizeof(used), "%.2fs %3.0f%%", (double)time / 1e6, 100 * cpus);
    if (limit != NULL && sscanf(limit, "%lf %lf", &quota, &period) >= 1) {
        snprintf(allowed, sizeof(allowed), "%.0f%%", 100 * quota / period);
        share = cpus / (quota / period);
    }
    if (throttled > 0)
        snprintf(bit, sizeof(bit), "held back in %lld of %lld periods, for %.2fs", throttled,
                 group_number(group, "cpu.stat", "nr_periods"),
                 (double)group_number(group, "cpu.stat", "throttled_usec") / 1e6);
    print_row("cpu", used, allowed, share, bit);
}

static void print_memory(const char *group, const char *limit)
{
    char used[32] = "?", allowed[32] = "-", bit[96] = "";
    double most = limit != NULL ? strtod(limit, NULL) : 0;
    long long peak = group_number(group, "memory.peak", "");
    long long reached = group_number(group, "memory.events", "max"), killed = -1;

    /* EXERCISE 8.4: how many processes did the kernel kill to keep the limit? cgroups(7) */
    killed = group_number(group, "memory.events", "oom_kill");
    /* END */
    if (peak >= 0)
        usage_size(peak, used, sizeof(used));
    if (most > 0)
        usage_size((long long)most, allowed, sizeof(allowed));
    if (reached > 0 || killed > 0)
        snprintf(bit, sizeof(bit), "limit reached %lld times, %lld killed", reached, killed);
    print_row("memory", used, allowed, most > 0 ? (double)peak / most : -1, bit);
}

static void print_pids(const char *group, const char *limit)
{
    char used[32] = "?", bit[96] = "";
    double most = limit != NULL ? strtod(limit, NULL) : 0;
    long long peak = group_number(group, "pids.peak", "");
    long long refused = group_number(group, "pids.events", "max");

    if (peak >= 0)
        snprintf(used, sizeof(used), "%lld", peak);
    if (refused > 0)
        snprintf(bit, sizeof(bit), "%lld forks refused", refused);
    print_row("pids", used, limit != NULL ? limit : "-", most > 0 ? (double)peak / most : -1, bit);
}

/* The bytes behind KEY in all lines of io.stat, one line a disk. */
static void print_io(const char *group, const char *name, const char *key)
{
    char text[8192], used[32];
    long long sum = 0;

    if (group_read(group, "io.stat", text, sizeof(text)) != 0)
        return;
    for (const char *found = text; (found = strstr(found, key)) != NULL;)
        sum += strtoll(found += strlen(key), NULL, 10);
    usage_size(sum, used, sizeof(used));
    print_row(name, used, "-", -1, "");
}

void usage_print(const char *group, double seconds, const struct cgroup_limits *limits)
{
    dprintf(STDERR_FILENO, "%-7s %12s %12s  %s\n", "", "USED", "LIMIT", "");
    print_cpu(group, seconds, limit_find(limits, "cpu.max"));
    print_memory(group, limit_find(limits, "memory.max"));
    print_pids(group, limit_find(limits, "pids.max"));
    print_io(group, "read", " rbytes=");
    print_io(group, "written", " wbytes=");
}
