#define _GNU_SOURCE
#include "idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"

enum { MAX_IDS = 4294967295U }; /* the highest number stands for "no id" */

void idmap_add(struct id_map *map, const char *text)
{
    unsigned long inside, outside, count;
    char rest;

    if (text[strspn(text, "0123456789:")] != '\0' ||
        sscanf(text, "%lu:%lu:%lu%c", &inside, &outside, &count, &rest) != 3 || inside > MAX_IDS ||
        outside > MAX_IDS || count > MAX_IDS)
        fail("invalid map '%s': expected INSIDE:OUTSIDE:COUNT, numbers up to %u", text, MAX_IDS);
    if (map->count == MAX_RANGES)
        fail("map '%s': more than %d ranges", text, MAX_RANGES);
    map->ranges[map->count++] =
        (struct id_range){(unsigned)inside, (unsigned)outside, (unsigned)count};
}

/* The kernel accepts a map only once, and only as a whole in a single write(2). */
static void write_once(const struct child *child, const char *name, const char *text)
{
    char path[64], shown[1024] = "";

    snprintf(path, sizeof(path), "/proc/%d/%s", child->pid, name);
    for (const char *rest = text; *rest != '\0'; rest++)
        snprintf(shown + strlen(shown), sizeof(shown) - strlen(shown), *rest == '\n' ? "\\n" : "%c",
                 *rest);
    explain("printf '%s' > %s\twrite(\"%s\", \"%s\")", shown, path, path, shown);

    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file == -1 || write(file, text, strlen(text)) != (ssize_t)strlen(text)) {
        /* The box ends, too. One that failed first, and so has lost its files, has said why. */
        if (child->sync != -1 && shutdown(child->sync, SHUT_WR) == 0 && spawn_wait_exec(child) == 1)
            exit(EXIT_TOOL);
        if (errno == EINVAL)
            hint("a map must not be empty, nor overlap, nor go beyond the last id, %u",
                 MAX_IDS - 1);
        if (errno == EPERM && geteuid() != 0)
            hint("an ordinary user may map one id, its own (users %u, groups %u), and only with "
                 "'--setgroups deny'. If you did that, this machine forbids it: see 'make doctor'",
                 geteuid(), getegid());
        die("write '%s' to %s", shown, path);
    }
    close(file);
}

static void write_map(const struct child *child, const char *name, const struct id_map *map)
{
    char text[1024] = "";
    size_t length = 0;

    for (const struct id_range *range = map->ranges; range < map->ranges + map->count; range++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%u %u %u\n",
                                   range->inside, range->outside, range->count);
    write_once(child, name, text);
}

void idmap_write(const struct child *child, const struct id_map *users, const struct id_map *groups,
                 bool setgroups)
{
    if (proc_check() != 0)
        exit(EXIT_TOOL);
    /* EXERCISE 6.2: write the maps: deny setgroups, then uid_map, gid_map. user_namespaces(7) */
    if (!setgroups)
        write_once(child, "setgroups", "deny\n");
    write_map(child, "uid_map", users);
    write_map(child, "gid_map", groups);
    /* END */
}

void file_read(const char *path, char *text, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = read(file, text, size - 1);

    close(file);
    text[length > 0 ? length : 0] = '\0';
}

void first_line(const char *path, char *line, size_t size)
{
    file_read(path, line, size);
    line[strcspn(line, "\n")] = '\0';
}

bool in_user_namespace(void)
{
    unsigned inside, outside, count;
    char line[64];

    first_line("/proc/self/uid_map", line, sizeof(line));
    return sscanf(line, "%u %u %u", &inside, &outside, &count) == 3 && count != MAX_IDS;
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
    if (setgroups_too)
        idmap_leave_groups();
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
