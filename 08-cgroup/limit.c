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
#include "controller.h"

/* Microseconds. The kernel takes no period outside of these, and no quota below the shorter. */
enum { CPU_PERIOD = 100000, SHORTEST_PERIOD = 1000, LONGEST_PERIOD = 1000000 };

static const long long max_bytes = 1LL << 60;

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
    if (strlen(file) >= sizeof(setting->file) || strlen(value) >= sizeof(setting->value))
        fail("%s: the value is too long", file);
    strcpy(setting->file, file);
    strcpy(setting->value, value);
    limits->count += i == limits->count;
}

/* "0.2" processors, as cpu.max takes them: so many microseconds of each period. */
static void add_cpus(struct cgroup_limits *limits, const char *text)
{
    char *end = NULL, value[64];
    long max = sysconf(_SC_NPROCESSORS_CONF);
    double cpus = isdigit((unsigned char)text[0]) || text[0] == '.' ? strtod(text, &end) : -1;

    if (end == NULL || end == text || *end != '\0' || strpbrk(text, "xXeEpP") != NULL)
        fail("cpus: '%s' is not a number of processors, such as 0.5", text);
    if (cpus < 0.01 || cpus > (double)max)
        fail("cpus: %s is not between 0.01 and %ld, the number of this machine's", text, max);
    snprintf(value, sizeof(value), "%.0f %d", cpus * CPU_PERIOD, CPU_PERIOD);
    add(limits, "cpu.max", value);
}

static void add_quota(struct cgroup_limits *limits, const char *text)
{
    char quota[32] = "", period[32] = "", rest;

    int words = sscanf(text, "%31s %31s %c", quota, period, &rest);
    if (words != 1 && words != 2)
        fail("cpu-max: '%s' is not 'QUOTA PERIOD' in microseconds, such as '20000 100000'", text);
    if (strcmp(quota, "max") != 0)
        tool_number(quota, "cpu-max: quota", SHORTEST_PERIOD, 1LL << 40);
    if (words == 2)
        tool_number(period, "cpu-max: period", SHORTEST_PERIOD, LONGEST_PERIOD);
    add(limits, "cpu.max", text);
}

/* One range of a list, "2" or "0-3", from *TEXT on, which moves past it. False if it is none. */
static bool read_range(const char **text, long *first, long *last)
{
    char *end;

    if (!isdigit((unsigned char)**text))
        return false;
    *first = *last = strtol(*text, &end, 10);
    if (*end == '-') {
        if (!isdigit((unsigned char)end[1]))
            return false;
        *last = strtol(end + 1, &end, 10);
    }
    if (*last < *first || *last > 65535 || (*end != ',' && *end != '\0'))
        return false;
    *text = *end == ',' ? end + 1 : end;
    return true;
}

static bool cpu_in_list(long cpu, const char *list)
{
    long first, last;

    while (*list != '\0' && read_range(&list, &first, &last))
        if (cpu >= first && cpu <= last)
            return true;
    return false;
}

bool cpu_list_within(const char *wanted, const char *there)
{
    long first, last;

    while (*wanted != '\0' && read_range(&wanted, &first, &last))
        for (long cpu = first; cpu <= last; cpu++)
            if (!cpu_in_list(cpu, there))
                return false;
    return true;
}

static void check_list(const char *text)
{
    const char *rest = text;
    long first, last;
    bool good = *text != '\0' && text[strlen(text) - 1] != ',';

    while (good && *rest != '\0')
        good = read_range(&rest, &first, &last);
    if (!good)
        fail("cpuset-cpus: '%s' is not a list of processors, such as 0,2-3", text);
}

long long limit_bytes(const char *text, const char *what, long long min)
{
    static const char units[] = "KMGTP";
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
    if (bytes < (long double)min || bytes > (long double)max_bytes)
        fail("%s: %s is not between %lld bytes and %lldT", what, text, min, max_bytes >> 40);
    return (long long)bytes;
}

static void add_io(struct cgroup_limits *limits, const char *text)
{
    static const char *const keys[] = {"rbps", "wbps", "riops", "wiops"};
    char copy[192], value[192], *save = NULL;
    struct stat device;
    unsigned major_number, minor_number;
    size_t length;
    int used = 0;

    if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
        fail("io-max: the value is too long");
    const char *name = strtok_r(copy, " ", &save);
    if (name != NULL && name[0] == '/' && stat(name, &device) == 0 && S_ISBLK(device.st_mode))
        length = (size_t)snprintf(value, sizeof(value), "%u:%u", major(device.st_rdev),
                                  minor(device.st_rdev));
    else if (name != NULL && sscanf(name, "%u:%u%n", &major_number, &minor_number, &used) == 2 &&
             name[used] == '\0')
        length = (size_t)snprintf(value, sizeof(value), "%s", name);
    else
        fail("io-max: '%s' does not begin with a disk, such as 8:0 or /dev/sda", text);

    char *word = strtok_r(NULL, " ", &save);
    if (word == NULL)
        fail("io-max: '%s' has no limit, such as rbps=1M", text);
    for (; word != NULL; word = strtok_r(NULL, " ", &save)) {
        bool known = false;
        char *number = strchr(word, '=');
        if (number != NULL)
            *number++ = '\0';
        for (int i = 0; i < 4; i++)
            known = known || strcmp(word, keys[i]) == 0;
        if (!known || number == NULL)
            fail("io-max: '%s' is not one of rbps=, wbps=, riops= and wiops=", word);
        if (strcmp(number, "max") == 0)
            length += (size_t)snprintf(value + length, sizeof(value) - length, " %s=max", word);
        else
            length += (size_t)snprintf(value + length, sizeof(value) - length, " %s=%lld", word,
                                       limit_bytes(number, "io-max", 1));
        if (length >= sizeof(value))
            fail("io-max: the value is too long");
    }
    add(limits, "io.max", value);
}

static void add_any(struct cgroup_limits *limits, const char *text)
{
    static const char *const ours[] = {"cgroup.procs", "cgroup.threads", "cgroup.kill",
                                       "cgroup.subtree_control", "cgroup.type"};
    char file[64];
    size_t length = strcspn(text, "=");

    if (text[length] != '=' || length == 0 || length >= sizeof(file))
        fail("set: '%s' is not FILE=VALUE, such as memory.high=32M", text);
    snprintf(file, sizeof(file), "%.*s", (int)length, text);
    if (strchr(file, '/') != NULL || strchr(file, '.') == NULL)
        fail("set: '%s' is not the name of a file of the interface, such as memory.high", file);
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (strcmp(file, ours[i]) == 0)
            fail("set: %s is for the tool itself to write", file);
    if (controller_of(file) == -1)
        fail("set: there is no controller '%.*s'", (int)strcspn(file, "."), file);
    add(limits, file, text + length + 1);
}

bool limit_option(struct cgroup_limits *limits, int option, const char *text)
{
    enum kind { NUMBER, BYTES, LIST, CPUS, QUOTA, IO, ANY };
    static const struct {
        const char *name, *file;
        enum kind kind;
        long long min, max;
    } table[] = {
        {"cpus", "cpu.max", CPUS, 0, 0},
        {"cpu-max", "cpu.max", QUOTA, 0, 0},
        {"cpu-weight", "cpu.weight", NUMBER, 1, 10000},
        {"cpuset-cpus", "cpuset.cpus", LIST, 0, 0},
        /* Below this not even the fork of the command gets through. */
        {"memory", "memory.max", BYTES, 1 << 20, 0},
        {"memory-swap", "memory.swap.max", BYTES, 0, 0},
        {"pids", "pids.max", NUMBER, 1, 4194304}, /* PID_MAX_LIMIT of the kernel */
        {"io-max", "io.max", IO, 0, 0},
        {"set", NULL, ANY, 0, 0},
    };
    size_t row = (size_t)(option - LIMIT_FIRST);
    char value[32];

    if (option < LIMIT_FIRST || row >= sizeof(table) / sizeof(table[0]))
        return false;
    bool no_limit = strcmp(text, "max") == 0 && option != LIMIT_CPU_WEIGHT;
    snprintf(value, sizeof(value), "max");
    switch (table[row].kind) {
    case NUMBER:
        if (!no_limit)
            tool_number(text, table[row].name, table[row].min, table[row].max);
        add(limits, table[row].file, text);
        break;
    case BYTES:
        if (!no_limit)
            snprintf(value, sizeof(value), "%lld",
                     limit_bytes(text, table[row].name, table[row].min));
        add(limits, table[row].file, value);
        break;
    case LIST:
        check_list(text);
        add(limits, table[row].file, text);
        break;
    case CPUS:
        add_cpus(limits, text);
        break;
    case QUOTA:
        add_quota(limits, text);
        break;
    case IO:
        add_io(limits, text);
        break;
    case ANY:
        add_any(limits, text);
        break;
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

unsigned limit_controllers(const struct cgroup_limits *limits)
{
    unsigned set = 0;

    for (int i = 0; i < limits->count; i++)
        set |= (unsigned)controller_of(limits->settings[i].file);
    return set;
}

const char *limit_find(const struct cgroup_limits *limits, const char *file)
{
    for (int i = 0; i < limits->count; i++)
        if (strcmp(limits->settings[i].file, file) == 0)
            return limits->settings[i].value;
    return NULL;
}
