#include "limit.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../06-user/number.h"

static void add(struct cgroup_limits *limits, const char *file, const char *value)
{
    int i = 0;

    /* io.max has a line for each device; of all other files the last value counts. */
    while (i < limits->count &&
           (strcmp(limits->settings[i].file, file) != 0 || strcmp(file, "io.max") == 0))
        i++;
    if (i == MAX_SETTINGS)
        fail("more than %d limits", MAX_SETTINGS);
    struct cgroup_setting *setting = &limits->settings[i];
    if (value[0] == '\0' || strlen(value) >= sizeof(setting->value))
        fail("%s: the value is %s", file, value[0] == '\0' ? "empty" : "too long");
    snprintf(setting->file, sizeof(setting->file), "%s", file);
    strcpy(setting->value, value);
    limits->count += i == limits->count;
}

/* "0.2" processors, as cpu.max takes them: so many microseconds of each period. */
static void add_cpus(struct cgroup_limits *limits, const char *text)
{
    const int period = 100000;
    char *end, value[64];
    long most = sysconf(_SC_NPROCESSORS_CONF);
    double cpus = strtod(text, &end);

    if (text[strspn(text, "0123456789.")] != '\0' || *end != '\0' || end == text)
        fail("cpus: '%s' is not a number of processors, such as 0.5", text);
    if (cpus < 0.01 || cpus > (double)most)
        fail("cpus: %s is not between 0.01 and %ld, the number of this machine's", text, most);
    snprintf(value, sizeof(value), "%.0f %d", cpus * period, period);
    add(limits, "cpu.max", value);
}

long long limit_bytes(const char *text, const char *what, long long min)
{
    static const char units[] = "KMGTP";
    const long long most = 1LL << 60;
    const char *rest = text + strspn(text, "0123456789.");
    char *end = NULL;
    long double bytes = isdigit((unsigned char)text[0]) ? strtold(text, &end) : -1;
    bool good = end == rest; /* not 1e3, nor 0x10 */

    const char *unit = *rest != '\0' ? strchr(units, toupper((unsigned char)*rest)) : NULL;
    for (const char *each = units; unit != NULL && each <= unit; each++)
        bytes *= 1024;
    rest += unit != NULL;
    if (!good || (*rest != '\0' && strcasecmp(rest, "B") != 0 && strcasecmp(rest, "iB") != 0))
        fail("%s: '%s' is not a size, such as 64M or 1.5G", what, text);
    if (bytes < (long double)min || bytes > (long double)most)
        fail("%s: %s is not between %lld bytes and %lldT", what, text, min, most >> 40);
    return (long long)bytes;
}

/* "/dev/sda rbps=1M", as io.max takes it: the disk's numbers, and bytes. */
static void add_io(struct cgroup_limits *limits, const char *text)
{
    char copy[192], value[256], *save;
    struct stat device;

    if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
        fail("io-max: the value is too long");
    const char *word = strtok_r(copy, " ", &save);
    int length = snprintf(value, sizeof(value), "%s", word != NULL ? word : "");
    if (word != NULL && word[0] == '/' && stat(word, &device) == 0 && S_ISBLK(device.st_mode))
        length =
            snprintf(value, sizeof(value), "%u:%u", major(device.st_rdev), minor(device.st_rdev));
    while ((word = strtok_r(NULL, " ", &save)) != NULL && length < (int)sizeof(value)) {
        const char *number = strchr(word, '=');
        if (number == NULL || strcmp(number, "=max") == 0)
            length += snprintf(value + length, sizeof(value) - (size_t)length, " %s", word);
        else
            length += snprintf(value + length, sizeof(value) - (size_t)length, " %.*s=%lld",
                               (int)(number - word), word, limit_bytes(number + 1, "io-max", 1));
    }
    if (strchr(value, '=') == NULL)
        fail("io-max: '%s' is not a disk and a limit, such as '8:0 rbps=1M'", text);
    add(limits, "io.max", value);
}

static void add_any(struct cgroup_limits *limits, const char *text)
{
    char file[64];
    size_t length = strcspn(text, "=");

    snprintf(file, sizeof(file), "%.*s", (int)length, text);
    if (text[length] != '=' || length >= sizeof(file) || strchr(file, '/') != NULL ||
        strchr(file, '.') == NULL)
        fail("set: '%s' is not FILE=VALUE, such as memory.high=32M", text);
    if (strncmp(file, "cgroup.", 7) == 0 && strncmp(file, "cgroup.max.", 11) != 0)
        fail("set: %s is for the tool itself to write", file);
    add(limits, file, text + length + 1);
}

bool limit_option(struct cgroup_limits *limits, int option, const char *text)
{
    static const struct {
        const char *name, *file;
        enum { TEXT, NUMBER, BYTES, CPUS, IO, ANY } kind;
        long long min, max;
    } table[] = {
        {"cpus", "cpu.max", CPUS, 0, 0},
        {"cpu-max", "cpu.max", TEXT, 0, 0},
        {"cpu-weight", "cpu.weight", NUMBER, 1, 10000},
        {"cpuset-cpus", "cpuset.cpus", TEXT, 0, 0},
        /* Below this not even the fork of the command gets through. */
        {"memory", "memory.max", BYTES, 1 << 20, 0},
        {"memory-swap", "memory.swap.max", BYTES, 0, 0},
        {"pids", "pids.max", NUMBER, 1, 4194304}, /* PID_MAX_LIMIT of the kernel */
        {"io-max", "io.max", IO, 0, 0},
        {"set", NULL, ANY, 0, 0},
    };
    size_t row = (size_t)(option - LIMIT_FIRST);
    char number[32];

    if (option < LIMIT_FIRST || row >= sizeof(table) / sizeof(table[0]))
        return false;
    bool no_limit = strcmp(text, "max") == 0;
    if (table[row].kind == NUMBER && !no_limit)
        tool_number(text, table[row].name, table[row].min, table[row].max);
    if (table[row].kind == CPUS) {
        add_cpus(limits, text);
    } else if (table[row].kind == IO) {
        add_io(limits, text);
    } else if (table[row].kind == ANY) {
        add_any(limits, text);
    } else if (table[row].kind == BYTES && !no_limit) {
        snprintf(number, sizeof(number), "%lld",
                 limit_bytes(text, table[row].name, table[row].min));
        add(limits, table[row].file, number);
    } else {
        add(limits, table[row].file, text);
    }
    return true;
}

void limit_complete(struct cgroup_limits *limits)
{
    const char *memory = limit_find(limits, "memory.max");

    if (memory == NULL || strcmp(memory, "max") == 0 ||
        limit_find(limits, "memory.swap.max") != NULL)
        return;
    add(limits, "memory.swap.max", "0");
    limits->settings[limits->count - 1].if_there = true;
}

void limit_controllers(const struct cgroup_limits *limits, char *names, size_t size)
{
    size_t length = 0;

    names[0] = '\0';
    for (int i = 0; i < limits->count && length < size; i++) {
        const char *file = limits->settings[i].file;
        if (strncmp(file, "cgroup.", 7) != 0)
            length += (size_t)snprintf(names + length, size - length, "%.*s ",
                                       (int)strcspn(file, "."), file);
    }
}

const char *limit_find(const struct cgroup_limits *limits, const char *file)
{
    for (int i = 0; i < limits->count; i++)
        if (strcmp(limits->settings[i].file, file) == 0)
            return limits->settings[i].value;
    return NULL;
}
