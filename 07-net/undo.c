#include "undo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "link.h"
#include "nat.h"
#include "remove.h"
#include "setting.h"

/* What follows the verb: a word without blanks, and the rest: SET and KEY, TARGET and PATH. */
struct words {
    char first[PATH_MAX], second[PATH_MAX];
};

static int undo_rules(const char *verb, const struct words *words, const char *token)
{
    struct netlink filter;
    int error = netlink_open(&filter, NETLINK_NETFILTER);

    if (error == -EPROTONOSUPPORT)
        return 0; /* then there are none */
    if (error != 0)
        error = nat_report(&filter, error);
    else if (strcmp(verb, "table") == 0)
        error = nat_remove_table(&filter, token);
    else
        error = nat_remove_element(&filter, words->first, words->second, token);
    netlink_close(&filter);
    return error;
}

static int undo_bridge(const char *name, const char *token)
{
    struct netlink route;
    struct link bridge;
    int error = netlink_open(&route, NETLINK_ROUTE);

    if (error == 0)
        error = link_find(&route, name, &bridge);
    if (error == 0 && link_has_token(&bridge, token)) {
        link_delete(&route, name);
        error = netlink_send(&route);
    }
    if (error != 0 && error != -ENODEV)
        error = netlink_report(&route, error);
    netlink_close(&route);
    return error == -ENODEV ? 0 : error;
}

/* A link whose target is another by now is somebody else's. Without names, their directory goes. */
static int undo_symlink(const char *target, char *path)
{
    char now[PATH_MAX];
    ssize_t length = readlink(path, now, sizeof(now) - 1);

    now[length > 0 ? length : 0] = '\0';
    if (length > 0 && strcmp(now, target) == 0 && unlink(path) == -1 && errno != ENOENT)
        return report("remove %s", path);
    (void)rmdir(dirname(path));
    return 0;
}

/* Does the cgroup whose cgroup.events is open as EVENTS hold a process? */
static bool is_populated(int events)
{
    char text[256];
    ssize_t got = pread(events, text, sizeof(text) - 1, 0);

    text[got > 0 ? got : 0] = '\0';
    return strstr(text, "populated 1") != NULL;
}

/* End the processes in the cgroup open as GROUP and wait until they are gone. cgroups(7) */
static int empty_group(int group, const char *path, int patience)
{
    struct pollfd events = {.events = POLLPRI};

    events.fd = openat(group, "cgroup.events", O_RDONLY | O_CLOEXEC);
    for (int waited = 0; is_populated(events.fd) && waited <= patience; waited += 5) {
        if (waited == 0) {
            explain("echo 1 > %s/cgroup.kill\twrite(\"cgroup.kill\", \"1\")", path);
            int kill = openat(group, "cgroup.kill", O_WRONLY | O_CLOEXEC);
            if (kill == -1 || write(kill, "1", 1) != 1) {
                close(events.fd);
                return report("kill the processes in %s", path);
            }
            close(kill);
        }
        poll(&events, 1, 5); /* the kernel wakes us when the text changes; or else we look again */
    }
    bool empty = !is_populated(events.fd);
    if (events.fd != -1)
        close(events.fd);
    if (empty)
        return 0;
    hint("a process is stuck in the kernel: see 'cat %s/cgroup.procs'", path);
    errno = ETIMEDOUT;
    return report("end the processes in %s", path);
}

/* Remove the groups that the box has made in it, and then the group itself. */
static int remove_group(const char *path)
{
    char below[PATH_MAX];
    DIR *stream = opendir(path);
    const struct dirent *entry;
    int error = 0;

    while (stream != NULL && error == 0 && (entry = readdir(stream)) != NULL)
        if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0 &&
            snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) < (int)sizeof(below))
            error = remove_group(below);
    if (stream != NULL)
        closedir(stream);
    explain("rmdir %s\trmdir(\"%s\")", path, path);
    if (error == 0 && rmdir(path) == -1 && errno != ENOENT)
        error = report("rmdir %s", path);
    return error;
}

static int undo_group(char *path, int patience)
{
    int group = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (group == -1)
        return errno == ENOENT ? 0 : report("open %s", path);
    int error = empty_group(group, path, patience);
    close(group);
    if (error == 0)
        error = remove_group(path);
    /* With the last of our groups goes the one they all lie in. */
    const char *name = strrchr(dirname(path), '/');
    if (error == 0 && name != NULL && strcmp(name + 1, GROUP_PARENT) == 0) {
        explain("rmdir %s\trmdir(\"%s\")", path, path);
        (void)rmdir(path);
    }
    return error;
}

int undo_line(const char *line, const char *token, int patience)
{
    char verb[16] = "", text[PATH_MAX + 256];
    struct words words = {"", ""};
    size_t skip = strcspn(line, " ");

    snprintf(verb, sizeof(verb), "%.*s", (int)skip, line);
    snprintf(text, sizeof(text), "%s", line + skip + (line[skip] == ' '));
    if (strcmp(verb, "group") == 0)
        return undo_group(text, patience);
    if (strcmp(verb, "tree") == 0)
        return remove_tree(text);
    sscanf(text, "%4095s %4095[^\n]", words.first, words.second);
    if (strcmp(verb, "table") == 0 || strcmp(verb, "element") == 0)
        return undo_rules(verb, &words, token);
    if (strcmp(verb, "bridge") == 0)
        return undo_bridge(words.first, token);
    if (strcmp(verb, "setting") == 0)
        return setting_read(words.first) == words.second[0]
                   ? 0
                   : setting_write(words.first, words.second[0]);
    if (strcmp(verb, "forwarding") == 0)
        return setting_stop_forwarding(words.first);
    if (strcmp(verb, "symlink") == 0)
        return undo_symlink(words.first, words.second);
    if (strcmp(verb, "token") == 0 || strcmp(verb, "made") == 0 || strcmp(verb, "status") == 0)
        return 0;
    return refuse("undo '%s': it is from another version", line);
}
