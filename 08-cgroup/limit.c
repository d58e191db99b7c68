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

static const long long most_bytes = 1LL << 60;

static void add(struct cgroup_limits *limits, const char *file, const char *value)
{
    int i = 0;

    /* io.max has a line for each device; of all other files the last value counts. */
    while (i < limits->count &&
           (strcmp(limits->settings[i].file, file) != 0 || strcmp(file, "io.max") == 0))
        i++;
    if (i == MOST_SETTINGS)
        fail("more than %d limits", MOST_SETTINGS);
    struct cgroup_setting *setting = &limits->settings[i];
    if (strlen(file) >= sizeof(setting->file) || strlen(value) >= sizeof(setting->value))
        fail("%s: the value is too long", file);
    strcpy(setting->file, file);
    strcpy(setting->value, value);
    limits->count += i == limits->count;
}

static void limit_cpus(struct cgroup_limits *limits, const char *text)
{
    char *end = NULL, value[64];
    long most = sysconf(_SC_NPROCESSORS_CONF);
    double cpus = isdigit((unsigned char)text[0]) || text[0] == '.' ? strtod(text, &end) : -1;

    if (end == NULL || end == text || *end != '\0' || strpbrk(text, "xXeEpP") != NULL)
        fail("cpus: '%s' is not a number of processors, such as 0.5", text);
    if (cpus < 0.01 || cpus > (double)most)
        fail("cpus: %s is not between 0.01 and %ld, the number of this machine's", text, most);
    snprintf(value, sizeof(value), "%.0f %d", cpus * CPU_PERIOD, CPU_PERIOD);
    add(limits, "cpu.max", value);
}

static void limit_cpu_max(struct cgroup_limits *limits, const char *text)
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

static void limit_cpu_weight(struct cgroup_limits *limits, const char *text)
{
    tool_number(text, "cpu-weight", 1, 10000);
    add(limits, "cpu.weight", text);
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

static void limit_cpuset_cpus(struct cgroup_limits *limits, const char *text)
{
    const char *rest = text;
    long first, last;
    bool good = *text != '\0' && text[strlen(text) - 1] != ',';

    while (good && *rest != '\0')
        good = read_range(&rest, &first, &last);
    if (!good)
        fail("cpuset-cpus: '%s' is not a list of processors, such as 0,2-3", text);
    add(limits, "cpuset.cpus", text);
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
    if (bytes < (long double)min || bytes > (long double)most_bytes)
        fail("%s: %s is not between %lld bytes and %lldT", what, text, min, most_bytes >> 40);
    return (long long)bytes;
}

static void add_bytes(struct cgroup_limits *limits, const char *file, const char *what,
                      const char *text, long long min)
{
    char value[32] = "max";

    if (strcmp(text, "max") != 0)
        snprintf(value, sizeof(value), "%lld", limit_bytes(text, what, min));
    add(limits, file, value);
}

static void limit_memory(struct cgroup_limits *limits, const char *text)
{
    /* Below this not even the fork of the command gets through. */
    add_bytes(limits, "memory.max", "memory", text, 1 << 20);
}

static void limit_memory_swap(struct cgroup_limits *limits, const char *text)
{
    add_bytes(limits, "memory.swap.max", "memory-swap", text, 0);
}

static void limit_pids(struct cgroup_limits *limits, const char *text)
{
    if (strcmp(text, "max") != 0)
        tool_number(text, "pids", 1, 4194304); /* PID_MAX_LIMIT of the kernel */
    add(limits, "pids.max", text);
}

static void limit_io_max(struct cgroup_limits *limits, const char *text)
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

static void limit_set(struct cgroup_limits *limits, const char *text)
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
    switch (option) {
    case LIMIT_CPUS:
        limit_cpus(limits, text);
        return true;
    case LIMIT_CPU_MAX:
        limit_cpu_max(limits, text);
        return true;
    case LIMIT_CPU_WEIGHT:
        limit_cpu_weight(limits, text);
        return true;
    case LIMIT_CPUSET_CPUS:
        limit_cpuset_cpus(limits, text);
        return true;
    case LIMIT_MEMORY:
        limit_memory(limits, text);
        return true;
    case LIMIT_MEMORY_SWAP:
        limit_memory_swap(limits, text);
        return true;
    case LIMIT_PIDS:
        limit_pids(limits, text);
        return true;
    case LIMIT_IO_MAX:
        limit_io_max(limits, text);
        return true;
    case LIMIT_SET:
        limit_set(limits, text);
        return true;
    default:
        return false;
    }
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
