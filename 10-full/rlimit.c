#define _GNU_SOURCE
#include "rlimit.h"

#include <stdint.h>
#include <string.h>

#include "../01-chroot/tool.h"
#include "../07-net/number.h"

static const char *const names[RLIM_NLIMITS] = {
    [RLIMIT_AS] = "as",           [RLIMIT_CORE] = "core",
    [RLIMIT_CPU] = "cpu",         [RLIMIT_DATA] = "data",
    [RLIMIT_FSIZE] = "fsize",     [RLIMIT_LOCKS] = "locks",
    [RLIMIT_MEMLOCK] = "memlock", [RLIMIT_MSGQUEUE] = "msgqueue",
    [RLIMIT_NICE] = "nice",       [RLIMIT_NOFILE] = "nofile",
    [RLIMIT_NPROC] = "nproc",     [RLIMIT_RSS] = "rss",
    [RLIMIT_RTPRIO] = "rtprio",   [RLIMIT_RTTIME] = "rttime",
    [RLIMIT_STACK] = "stack",     [RLIMIT_SIGPENDING] = "sigpending",
};

void rlimit_add(struct rlimits *limits, const char *text)
{
    char *hard = strdupa(text);
    const char *name = strsep(&hard, "="), *soft = strsep(&hard, ":");
    struct rlimit own;
    int i = 0;

    while (i < RLIM_NLIMITS && strcmp(names[i], name) != 0)
        i++;
    if (i == RLIM_NLIMITS || soft == NULL)
        fail("invalid ulimit '%s': expected NAME=SOFT[:HARD] with a NAME like nofile or core",
             text);
    struct rlimit *limit = &limits->limits[i];
    limits->given[i] = true;
    limit->rlim_cur = (rlim_t)tool_number(soft, "soft limit", -1, INT64_MAX);
    limit->rlim_max = (rlim_t)tool_number(hard != NULL ? hard : soft, "hard limit", -1, INT64_MAX);
    if (limit->rlim_cur > limit->rlim_max)
        fail("ulimit '%s': the soft limit is above the hard one", text);
    if (getrlimit(i, &own) == 0 && limit->rlim_max > own.rlim_max) {
        own.rlim_max = limit->rlim_max;
        setrlimit(i, &own);
    }
}

void rlimit_set(const struct rlimits *limits)
{
    for (int i = 0; i < RLIM_NLIMITS; i++)
        if (limits->given[i] && setrlimit(i, &limits->limits[i]) == -1)
            die("ulimit %s", names[i]);
}
