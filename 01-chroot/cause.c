#include "cause.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inside.h"

void first_line(const char *path, char *line, size_t size)
{
    int file = open_file(path);
    ssize_t length = file == -1 ? 0 : read(file, line, size - 1);

    if (file != -1)
        close(file);
    line[length > 0 ? length : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
}

static bool line_is(const char *path, const char *value)
{
    char line[64];
    first_line(path, line, sizeof(line));
    return strcmp(line, value) == 0;
}

bool in_user_namespace(void)
{
    unsigned inside, outside, count;
    char line[64];

    first_line("/proc/self/uid_map", line, sizeof(line));
    return sscanf(line, "%u %u %u", &inside, &outside, &count) == 3 && count != 4294967295U;
}

/* Does this process hold CAP_SYS_ADMIN, which nearly every call of the course asks for? */
static bool may_administer(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};

    syscall(SYS_capget, &header, data);
    return data[0].effective & (1U << CAP_SYS_ADMIN);
}

/* A filter that somebody else has put on this process, as container engines do. See seccomp(2). */
static bool is_filtered(void)
{
    char status[4096];
    int file = open_file("/proc/self/status");
    ssize_t length = file == -1 ? 0 : read(file, status, sizeof(status) - 1);

    if (file != -1)
        close(file);
    status[length > 0 ? length : 0] = '\0';
    return strstr(status, "Seccomp:\t2") != NULL;
}

static const char filtered[] =
    "a seccomp filter holds this process, probably that of an outer container: start that one "
    "with --privileged or --security-opt seccomp=unconfined";

/* Ubuntu lets an ordinary user make a user namespace, and confines it by a profile of that name. */
static bool is_confined(void)
{
    static const char profile[] = "unprivileged_userns";
    char label[64];

    first_line("/proc/self/attr/current", label, sizeof(label));
    return strncmp(label, profile, strlen(profile)) == 0;
}

static const char restricted[] = "AppArmor restricts user namespaces here: run it as root, or "
                                 "'sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0'";

const char *cause_no_user_namespace(void)
{
    const char *cause = "";
    int saved = errno;

    if (line_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
        cause = restricted;
    else if (line_is("/proc/sys/kernel/unprivileged_userns_clone", "0"))
        cause = "this machine keeps user namespaces for root: run it as root, or "
                "'sudo sysctl kernel.unprivileged_userns_clone=1'";
    errno = saved;
    return geteuid() == 0 ? "" : cause;
}

static const char *cause_of_refusal(int error)
{
    if (is_confined())
        return restricted;
    if (error == EPERM && is_filtered())
        return filtered;
    if (may_administer())
        return "";
    if (error == EACCES)
        return "you have no permission there: 'ls -ld' shows who has; with sudo in front of it you "
               "are root";
    if (geteuid() == 0)
        return "root lacks the capability CAP_SYS_ADMIN here, as inside a container: start that "
               "one with --privileged";
    return "this needs root: put sudo in front of it, or the tool of chapter 6 (user), which needs "
           "no root";
}

void cause_of(int error, char *text, size_t size)
{
    const char *cause = "";

    switch (error) {
    case EPERM:
    case EACCES:
        cause = cause_of_refusal(error);
        break;
    case ENOSPC:
        cause = "a disk is full, or for namespaces and mounts a limit is reached or is 0: see "
                "/proc/sys/user/max_*_namespaces and /proc/sys/fs/mount-max";
        break;
    case ENOSYS:
        cause = is_filtered() ? filtered
                              : "this kernel lacks the call: the course needs Linux 5.14 or newer "
                                "(WSL 1 has no Linux kernel at all; WSL 2 has)";
        break;
    default:
        break;
    }
    snprintf(text, size, "%s", cause);
}
