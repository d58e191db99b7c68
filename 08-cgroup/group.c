#include "group.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../07-net/claim.h"

int group_read(const char *group, const char *file, char *text, size_t size)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", group, file);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = descriptor == -1 ? -1 : read(descriptor, text, size - 1);
    int error = length == -1 ? -errno : 0;
    if (descriptor != -1)
        close(descriptor);
    if (length > 0 && text[length - 1] == '\n')
        length--;
    text[length > 0 ? length : 0] = '\0';
    errno = -error;
    return error;
}

int group_write(const char *group, const char *file, const char *value)
{
    return file_write(group, file, value);
}

long long group_number(const char *group, const char *file, const char *key)
{
    char text[16384], *number;
    size_t length = strlen(key);

    group_read(group, file, text, sizeof(text));
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) != 0 ||
            (length > 0 && !isblank((unsigned char)line[length])))
            continue;
        long long found = strtoll(line + length, &number, 10);
        return number == line + length ? -1 : found;
    }
    return -1;
}

int group_make(const char *path)
{
    explain("mkdir %s\tmkdir(\"%s\", 0755)", path, path);
    return mkdir(path, 0755) == -1 ? -errno : 0;
}

/* --- places for a group ----------------------------------------------------------------------- */

const char *tree_top(void)
{
    /* The second one where version 1 is in charge. */
    static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    static const char *top;
    struct statfs found;

    for (size_t i = 0; top == NULL && i < sizeof(places) / sizeof(places[0]); i++)
        if (statfs(places[i], &found) == 0 && found.f_type == CGROUP2_SUPER_MAGIC)
            top = places[i];
    return top;
}

/* May this user make groups in GROUP and move processes there? */
static bool is_writable(const char *group)
{
    char path[PATH_MAX + 16];

    snprintf(path, sizeof(path), "%s/cgroup.procs", group);
    return access(path, W_OK) == 0;
}

/* The group of this process, from /proc: "0::/user.slice". */
static void find_own(const char *top, char *own)
{
    char line[PATH_MAX];
    FILE *file = fopen("/proc/self/cgroup", "re");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "0::/", 4) == 0 && strncmp(line, "0::/..", 6) != 0)
            snprintf(own, PATH_MAX, "%s%.*s", top, (int)strcspn(line + 3, "\n"), line + 3);
    if (file != NULL)
        fclose(file);
}

/* At the top, or if only a branch has been delegated, below the nearest group that the user may
 * write, and that holds no processes if it is to hand controllers down. */
static int choose_parent(const char *top, bool hands_down, char *parent)
{
    snprintf(parent, PATH_MAX, "%s", top);
    if (is_writable(parent))
        return 0;
    int error = errno;
    find_own(top, parent);
    for (; strlen(parent) > strlen(top); *strrchr(parent, '/') = '\0')
        if (is_writable(parent) && !(hands_down && group_number(parent, "cgroup.procs", "") >= 0))
            return 0;
    hint("run it as root and outside of boxes, or in a branch of the tree that is delegated to you "
         "and has room for a group: 'systemd-run --user --scope -p Delegate=yes COMMAND'");
    errno = error;
    return report("no group of %s is yours to write", top);
}

static int find_parent(const char *top, const char *wanted, char *parent)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s/cgroup.procs", wanted[0] == '/' ? "" : top, wanted);
    if (realpath(path, parent) == NULL) {
        if (errno == ENOENT)
            hint("make it first: mkdir %.300s", dirname(path));
        return report("parent %s", wanted);
    }
    *strrchr(parent, '/') = '\0';
    if (strncmp(parent, top, strlen(top)) != 0)
        return refuse("invalid parent '%s': expected a group below %s", wanted, top);
    return 0;
}

int tree_parent(const char *wanted, bool hands_down, char *parent)
{
    const char *top = tree_top();

    if (top == NULL) {
        hint("mount it with 'sudo mount -t cgroup2 cgroup2 /sys/fs/cgroup'; where cgroup v1 is "
             "mounted there, boot with 'cgroup_no_v1=all systemd.unified_cgroup_hierarchy=1' on "
             "the kernel's command line, or use the virtual machine: 'make shell-vm'");
        errno = ENOENT;
        return report("no cgroup v2 tree is mounted on /sys/fs/cgroup");
    }
    if (wanted != NULL)
        return find_parent(top, wanted, parent);
    int error = choose_parent(top, hands_down, parent);
    strncat(parent, "/" GROUP_PARENT, PATH_MAX - strlen(parent) - 1);
    return error;
}
