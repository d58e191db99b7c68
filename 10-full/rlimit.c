#include "rlimit.h"

#include <stdint.h>
#include <string.h>

#include "../01-chroot/tool.h"
#include "../06-user/number.h"

static const struct {
    const char *name;
    int resource;
} known[] = {
    {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},         {"fsize", RLIMIT_FSIZE},
    {"locks", RLIMIT_LOCKS},       {"memlock", RLIMIT_MEMLOCK},
    {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},     {"nproc", RLIMIT_NPROC},
    {"rss", RLIMIT_RSS},           {"rtprio", RLIMIT_RTPRIO},
    {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
};

enum { KNOWN = sizeof(known) / sizeof(known[0]) };

void rlimit_add(struct rlimits *limits, const char *text)
{
    size_t length = strcspn(text, "="), i = 0;
    char *value = strdupa(text + length + (text[length] == '='));
    const char *soft = strsep(&value, ":"), *hard = value != NULL ? value : soft;

    while (i < KNOWN &&
           (strlen(known[i].name) != length || strncmp(text, known[i].name, length) != 0))
        i++;
    if (i == KNOWN || text[length] == '\0')
        fail("ulimit '%s': is not NAME=SOFT[:HARD] with a NAME like nofile, nproc or core", text);
    limits->given[i] = true;
    limits->limits[i].rlim_cur = (rlim_t)tool_number(soft, "soft limit", -1, INT64_MAX);
    limits->limits[i].rlim_max = (rlim_t)tool_number(hard, "hard limit", -1, INT64_MAX);
    if (limits->limits[i].rlim_cur > limits->limits[i].rlim_max)
        fail("ulimit '%s': the soft limit is above the hard one", text);
}

void rlimit_allow(const struct rlimits *limits, pid_t box)
{
    struct rlimit own;

    for (int i = 0; i < KNOWN; i++) {
        if (!limits->given[i] || getrlimit(known[i].resource, &own) == -1 ||
            limits->limits[i].rlim_max <= own.rlim_max)
            continue;
        own.rlim_max = limits->limits[i].rlim_max;
        prlimit(box, known[i].resource, &own, NULL);
    }
}

void rlimit_set(const struct rlimits *limits)
{
    for (int i = 0; i < KNOWN; i++)
        if (limits->given[i] && setrlimit(known[i].resource, &limits->limits[i]) == -1)
            die("ulimit %s", known[i].name);
}
