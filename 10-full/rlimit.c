#include "rlimit.h"

#include <stdint.h>
#include <stdlib.h>
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

void rlimit_add(struct rlimits *limits, const char *text)
{
    struct rlimit_option option = {.resource = -1};
    char *copy = strdup(text), *value = copy;

    if (copy == NULL)
        die("strdup");
    const char *name = strsep(&value, "=");
    const char *soft = strsep(&value, ":"), *hard = value != NULL ? value : soft;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(name, known[i].name) == 0)
            option = (struct rlimit_option){known[i].name, known[i].resource, {0, 0}};
    if (option.resource == -1 || soft == NULL)
        fail("ulimit '%s': is not NAME=SOFT[:HARD] with a NAME like nofile, nproc or core", text);
    option.limit.rlim_cur = (rlim_t)tool_number(soft, "soft limit", -1, INT64_MAX);
    option.limit.rlim_max = (rlim_t)tool_number(hard, "hard limit", -1, INT64_MAX);
    if (option.limit.rlim_cur > option.limit.rlim_max)
        fail("ulimit '%s': the soft limit is above the hard one", text);
    free(copy);
    limits->options = realloc(limits->options, ((size_t)limits->count + 1) * sizeof(option));
    if (limits->options == NULL)
        die("realloc");
    limits->options[limits->count++] = option;
}

void rlimit_allow(const struct rlimits *limits, pid_t box)
{
    struct rlimit own;

    for (int i = 0; i < limits->count; i++) {
        const struct rlimit_option *option = &limits->options[i];
        if (getrlimit(option->resource, &own) == -1 || option->limit.rlim_max <= own.rlim_max)
            continue;
        own.rlim_max = option->limit.rlim_max;
        prlimit(box, option->resource, &own, NULL);
    }
}

void rlimit_set(const struct rlimits *limits)
{
    for (int i = 0; i < limits->count; i++)
        if (setrlimit(limits->options[i].resource, &limits->options[i].limit) == -1)
            die("ulimit %s", limits->options[i].name);
}
