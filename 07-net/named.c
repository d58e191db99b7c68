#include "named.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"

#define NAMES "/run/netns"

void named_check(const char *name)
{
    if (name[0] == '\0' || name[0] == '.' || strpbrk(name, "/\n") != NULL || strlen(name) > 200)
        fail("name: '%s' can't be the name of a network namespace", name);
}

static int report_name(const char *name, int error)
{
    errno = error;
    hint("'ip netns' lists the names; 'net --join %s' uses that namespace", name);
    return report("name %s", name);
}

int named_make(struct claim *claim, const char *name, pid_t box)
{
    char path[sizeof(NAMES) + NAME_MAX + 1], target[64], claim_name[NAME_MAX];
    int error = proc_check();

    if (error != 0)
        return error;
    snprintf(path, sizeof(path), NAMES "/%s", name);
    snprintf(target, sizeof(target), "/proc/%d/ns/net", box);
    snprintf(claim_name, sizeof(claim_name), "name-%s", name);
    error = claim_take(claim, claim_home(), claim_name);
    if (error == -EBUSY)
        return report_name(name, EEXIST);
    if (error == 0)
        error = claim_note(claim, "symlink %s %s", target, path);
    if (error != 0)
        return error;
    if (mkdir(NAMES, 0755) == -1 && errno != EEXIST)
        return report("mkdir " NAMES);
    explain("ln -s %s %s\tsymlink(\"%s\", \"%s\")", target, path, target, path);
    if (symlink(target, path) == -1)
        return errno == EEXIST ? report_name(name, EEXIST) : report("name %s", name);
    return 0;
}

void named_join(const char *name)
{
    char path[sizeof(NAMES) + NAME_MAX + 1];

    snprintf(path, sizeof(path), NAMES "/%s", name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file == -1) {
        if (errno == ENOENT)
            hint("'ip netns' lists the names; 'net --name %s' makes one", name);
        die("join %s", path);
    }
    explain("nsenter --net=%s\tsetns(\"%s\", CLONE_NEWNET)", path, path);
    if (setns(file, CLONE_NEWNET) == -1) {
        if (errno == EINVAL)
            hint("that file is not a network namespace: a dead name? 'ip netns delete %s'", name);
        die("setns %s", path);
    }
    close(file);
}
