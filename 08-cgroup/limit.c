#define _GNU_SOURCE
#include "limit.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

void limit_file(struct cgroup_limits *limits, const char *file, const char *value)
{
    if (limits->count == MAX_SETTINGS)
        fail("more than %d limits", MAX_SETTINGS);
    if (value[0] == '\0')
        fail("%s: the value is empty", file);
    limits->settings[limits->count++] = (struct cgroup_setting){file, value};
}

void limit_any(struct cgroup_limits *limits, const char *text)
{
    char *value = strdupa(text);
    const char *file = strdup(strsep(&value, "="));

    if (value == NULL || file == NULL || strchr(file, '/') != NULL)
        fail("invalid set '%s': expected FILE=VALUE, such as memory.high=32M", text);
    if (strncmp(file, "cgroup.", 7) == 0 && strncmp(file, "cgroup.max.", 11) != 0)
        fail("invalid set '%s': only the tool itself writes that file", file);
    limit_file(limits, file, strchr(text, '=') + 1);
}

/* cpu.max is so many microseconds of each period. */
void limit_cpus(struct cgroup_limits *limits, const char *text)
{
    const int period = 100000;
    char *end, *value;
    long max = sysconf(_SC_NPROCESSORS_CONF);
    double cpus = strtod(text, &end);

    if (end == text || *end != '\0' || text[strspn(text, "0123456789.")] != '\0' || cpus < 0.01 ||
        cpus > (double)max)
        fail("invalid cpus '%s': expected 0.01 to %ld processors, such as 0.5", text, max);
    if (asprintf(&value, "%.0f %d", cpus * period, period) == -1)
        die("cpus");
    limit_file(limits, "cpu.max", value);
}

long long limit_bytes(const char *text, const char *what, long long min)
{
    static const char units[] = "KMGTP";
    const long long max = 1LL << 60;
    const char *rest = text + strspn(text, "0123456789.");
    char *end = NULL;
    long double bytes = isdigit((unsigned char)text[0]) ? strtold(text, &end) : -1;
    bool good = end == rest; /* not 1e3, nor 0x10 */

    const char *unit = *rest != '\0' ? strchr(units, toupper((unsigned char)*rest)) : NULL;
    for (const char *each = units; unit != NULL && each <= unit; each++)
        bytes *= 1024;
    rest += unit != NULL;
    if (!good || (*rest != '\0' && strcasecmp(rest, "B") != 0 && strcasecmp(rest, "iB") != 0))
        fail("invalid %s '%s': expected a size, such as 64M or 1.5G", what, text);
    if (bytes < (long double)min || bytes > (long double)max)
        fail("invalid %s '%s': expected %lld bytes to %lldT", what, text, min, max >> 40);
    return (long long)bytes;
}

void limit_size(struct cgroup_limits *limits, const char *file, const char *text, long long min)
{
    char *value;

    if (asprintf(&value, "%lld", limit_bytes(text, file, min)) == -1)
        die("%s", file);
    limit_file(limits, file, value);
}

const char *limit_find(const struct cgroup_limits *limits, const char *file)
{
    for (int i = limits->count - 1; i >= 0; i--)
        if (strcmp(limits->settings[i].file, file) == 0)
            return limits->settings[i].value;
    return NULL;
}
