/* What a group has used, and how often a limit held it back: the table of --stat. */
#ifndef USAGE_H
#define USAGE_H

#include "limit.h"

/* Numbers that this kernel or a missing controller does not tell are -1. */
struct cgroup_usage {
    double seconds;                /* that the group has existed: for shares of a processor */
    long long cpu_us;              /* processor time */
    long long periods;             /* of cpu.max, in which something ran */
    long long throttled;           /* of them, those in which the quota was used up */
    long long throttled_us;        /* time that was waited then, by all together */
    long long memory_peak;         /* bytes */
    long long memory_limit_hit;    /* times that memory was taken back because of the limit */
    long long oom_kills;           /* processes killed as that was not enough */
    long long pids_peak;           /* processes and threads */
    long long pids_refused;        /* forks that failed because of the limit */
    long long io_read, io_written; /* bytes, over all disks */
};

/* Host. Seconds since some fixed moment. */
double usage_clock(void);

/* Host. Read the accounts of the group whose directory is GROUP, which has existed for SECONDS. */
struct cgroup_usage usage_read(const char *group, double seconds);

/* Host. Print USAGE beside LIMITS on standard error: one row a resource, with bars on a terminal.
 */
void usage_print(const struct cgroup_usage *usage, const struct cgroup_limits *limits);

#endif
