#define _GNU_SOURCE
#include "idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "../04-mnt/inside.h"
#include "end.h"
#include "number.h"

enum { MAX_IDS = 4294967295U }; /* the highest number stands for "no id" */

static unsigned id_number(char *text, const char *range, const char *what, unsigned min)
{
    if (text == NULL || *text == '\0')
        fail("invalid map '%s': expected INSIDE:OUTSIDE:COUNT", range);
    return (unsigned)tool_number(text, what, min, MAX_IDS);
}

void idmap_add(struct id_map *map, const char *text)
{
    char copy[128], *rest = copy;
    struct id_range range;

    if ((size_t)snprintf(copy, sizeof(copy), "%s", text) >= sizeof(copy))
        fail("invalid map '%.20s...': expected INSIDE:OUTSIDE:COUNT", text);
    range.inside = id_number(strsep(&rest, ":"), text, "id inside", 0);
    range.outside = id_number(strsep(&rest, ":"), text, "id outside", 0);
    range.count = id_number(strsep(&rest, ":"), text, "count of ids", 1);
    if (rest != NULL)
        fail("invalid map '%s': expected INSIDE:OUTSIDE:COUNT", text);
    if (map->count == MAX_RANGES)
        fail("map '%s': more than %d ranges", text, MAX_RANGES);
    map->ranges[map->count++] = range;
}

struct id_map idmap_single(unsigned inside, unsigned outside)
{
    return (struct id_map){.ranges = {{inside, outside, 1}}, .count = 1};
}

/*
 * Has the box ended with an error of its own? It has reported that already. But its end takes a
 * moment, during which its files in /proc fail with "Permission denied".
 */
static bool has_failed(pid_t pid)
{
    siginfo_t end;

    return child_end(pid, 100, &end) == 1 && end.si_code == CLD_EXITED;
}

/* The kernel accepts a map only once, and only as a whole in a single write(2). */
static void write_once(pid_t pid, const char *name, const char *text)
{
    char path[64], shown[1024] = "";

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    for (const char *rest = text; *rest != '\0'; rest++)
        snprintf(shown + strlen(shown), sizeof(shown) - strlen(shown), *rest == '\n' ? "\\n" : "%c",
                 *rest);
    explain("printf '%s' > %s\twrite(\"%s\", \"%s\")", shown, path, path, shown);

    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file == -1 || write(file, text, strlen(text)) != (ssize_t)strlen(text)) {
        int error = errno;
        if (has_failed(pid))
            exit(EXIT_TOOL);
        errno = error;
        if (error == EINVAL)
            hint("the ranges of a map must not overlap or go beyond the last id, %u", MAX_IDS - 1);
        if (error == EPERM && geteuid() != 0)
            hint("an ordinary user may map one id, its own (users %u, groups %u), and only with "
                 "'--setgroups deny'. If you did that, this machine forbids it: see 'make doctor'",
                 geteuid(), getegid());
        die("write '%s' to %s", shown, path);
    }
    close(file);
}

static void write_map(pid_t pid, const char *name, const struct id_map *map)
{
    char text[1024] = "";
    size_t length = 0;

    for (int i = 0; i < map->count; i++)
        length +=
            (size_t)snprintf(text + length, sizeof(text) - length, "%u %u %u\n",
                             map->ranges[i].inside, map->ranges[i].outside, map->ranges[i].count);
    write_once(pid, name, text);
}

void idmap_write(pid_t pid, const struct id_map *users, const struct id_map *groups, bool setgroups)
{
    if (proc_check() != 0)
        exit(EXIT_TOOL);
    /* EXERCISE 6.2: write the maps: deny setgroups, then uid_map, gid_map. user_namespaces(7) */
    if (!setgroups)
        write_once(pid, "setgroups", "deny\n");
    write_map(pid, "uid_map", users);
    write_map(pid, "gid_map", groups);
    /* END */
}

void idmap_leave_groups(void)
{
    char word[8];

    first_line("/proc/self/setgroups", word, sizeof(word));
    if (strcmp(word, "deny") == 0)
        return; /* we are in a box ourselves */
    explain("# drop the supplementary groups\tsetgroups(0, NULL)");
    if (setgroups(0, NULL) == -1)
        die("setgroups");
}

static bool has_root(const struct id_map *map)
{
    for (int i = 0; i < map->count; i++)
        if (map->ranges[i].inside == 0)
            return true;
    return false;
}

void idmap_become_root(const struct id_map *users, const struct id_map *groups, bool setgroups_too)
{
    if (setgroups_too) {
        explain("# drop the supplementary groups\tsetgroups(0, NULL)");
        if (setgroups(0, NULL) == -1)
            die("setgroups");
    }
    /* EXERCISE 6.3: become root of the namespace: group first, then user. setresgid(2) */
    if (has_root(groups)) {
        explain("# become group 0\tsetresgid(0, 0, 0)");
        if (setresgid(0, 0, 0) == -1)
            die("setresgid 0");
    }
    if (has_root(users)) {
        explain("# become user 0\tsetresuid(0, 0, 0)");
        if (setresuid(0, 0, 0) == -1)
            die("setresuid 0");
    }
    /* END */
}
