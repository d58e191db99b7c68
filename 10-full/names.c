#define _GNU_SOURCE
#include "names.h"

#include <ctype.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../01-chroot/tool.h"
#include "../07-net/network.h"

/* Real-time signals as most programs in a box count them. libc keeps the first few of them for
 * itself: glibc two, and musl, whose SIGRTMIN would be another number here, three. */
enum { FIRST_REAL_TIME = 34, LAST_REAL_TIME = 64 };

/* The index is the number, the same on x86-64 and arm64: signal(7). musl has no sigabbrev_np(3). */
static const char *const signals[] = {
    NULL,   "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
    "SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
    "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS"};
_Static_assert(SIGTERM == 15 && SIGTTOU == 22 && SIGSYS == 31, "the order is the kernel's");

int signal_number(const char *text, const char *what)
{
    const char *name = text + (strncasecmp(text, "SIG", 3) == 0 ? 3 : 0);
    int first = 0;
    char *end = NULL;

    for (int i = 1; i <= SIGSYS; i++)
        if (strcasecmp(name, signals[i]) == 0)
            return i;
    if (strcasecmp(name, "RTMIN") == 0)
        return FIRST_REAL_TIME;
    if (strncasecmp(name, "RTMIN+", 6) == 0) {
        first = FIRST_REAL_TIME;
        name += 6;
    }
    long number = isdigit((unsigned char)name[0]) ? strtol(name, &end, 10) : -1;
    if (number < 0 || first + number == 0 || number > LAST_REAL_TIME - first || *end != '\0')
        fail("invalid %s '%.80s': expected a name such as TERM, USR1 or RTMIN+3, or a number from "
             "1 to %d",
             what, text, LAST_REAL_TIME);
    return first + (int)number;
}

static const char *const resources[RLIM_NLIMITS] = {
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

    while (i < RLIM_NLIMITS && strcmp(resources[i], name) != 0)
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
            die("ulimit %s", resources[i]);
}
