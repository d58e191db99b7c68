/* Undoing what a claim has a line about: see claim.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "claim.h"
#include "link.h"
#include "nat.h"
#include "setting.h"

static int undo_bridge(const char *name, const char *token)
{
    struct link bridge;
    int error = link_find(name, &bridge);

    if (error == 0 && link_has_token(&bridge, token)) {
        link_delete(name);
        error = netlink_send(NETLINK_ROUTE, -ENODEV);
    }
    return error == -ENODEV ? 0 : error;
}

/* A link whose target is another by now is somebody else's. Without names, their directory goes. */
static int undo_symlink(const char *target, char *path)
{
    char now[PATH_MAX] = "";

    if (readlink(path, now, sizeof(now) - 1) == -1 && errno != ENOENT && errno != ENOTDIR &&
        errno != EINVAL)
        return report("readlink %s", path);
    if (strcmp(now, target) == 0 && unlink(path) == -1 && errno != ENOENT)
        return report("remove %s", path);
    (void)rmdir(dirname(path));
    return 0;
}

/* The next entry but "." and "..". NULL at the end, and for no STREAM. */
static const struct dirent *next_entry(DIR *stream)
{
    const struct dirent *entry;

    do
        entry = stream != NULL ? readdir(stream) : NULL;
    while (entry != NULL && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    return entry;
}

/* Remove the group PATH, and first those that the box has made in it. Without report(). */
static int remove_group(const char *path)
{
    char below[PATH_MAX];
    DIR *stream = opendir(path);
    const struct dirent *entry;
    int error = 0;

    while (error == 0 && (entry = next_entry(stream)) != NULL)
        if (entry->d_type == DT_DIR &&
            snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) < (int)sizeof(below))
            error = remove_group(below);
    if (stream != NULL)
        closedir(stream);
    return error != 0 || rmdir(path) == 0 || errno == ENOENT || errno == ENOTDIR ? error : -errno;
}

/* Write VALUE to FILE of the group PATH, which may be gone. cgroups(7) */
static int write_group(const char *path, const char *file, const char *value)
{
    char name[PATH_MAX + 16];

    snprintf(name, sizeof(name), "%s/%s", path, file);
    explain("echo %s > %s\twrite(\"%s\", \"%s\")", value, name, file, value);
    int group = open(name, O_WRONLY | O_CLOEXEC);
    bool failed =
        (group == -1 || write(group, value, 1) != 1) && errno != ENOENT && errno != ENODEV;
    int error = failed ? report("write %s", name) : 0;
    if (group != -1)
        close(group);
    return error;
}

/* With its processes; and with the last of our groups the one that they all lie in. cgroups(7) */
static int undo_group(char *path, int patience)
{
    const struct timespec pause = {.tv_nsec = 1000000};

    explain("rmdir %s\trmdir(\"%s\")", path, path);
    int error = remove_group(path);
    if (error == -EBUSY && write_group(path, "cgroup.kill", "1") != 0)
        return error;
    for (; error == -EBUSY && patience > 0; patience--) {
        nanosleep(&pause, NULL);
        error = remove_group(path);
    }
    if (error == -EBUSY)
        hint("a process is stuck in the kernel: see 'cat %s/cgroup.procs'", path);
    errno = -error;
    if (error != 0)
        return report("rmdir %s", path);
    const char *parent = dirname(path), *name = strrchr(parent, '/');
    if (name != NULL && strcmp(name + 1, GROUP_PARENT) == 0) {
        explain("rmdir %s\trmdir(\"%s\")", parent, parent);
        (void)rmdir(parent);
    }
    return 0;
}

/*
 * Remove what is in the directory NAME, and in the directories there. Those further down move up to
 * TOP for the next pass (-1: this one is the top): so no path gets too long, and only two
 * directories are ever open.
 */
static int clear(int above, const char *name, int top)
{
    static unsigned number;
    char moved[32];

    (void)fchmodat(above, name, 0700, 0); /* its owner, too, may have no right to read it */
    int file = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), error = 0;
    DIR *stream = file != -1 ? fdopendir(file) : NULL;
    const struct dirent *entry;
    if (stream == NULL)
        return errno == ENOENT ? 0 : report("remove %s", name);
    while (error == 0 && (entry = next_entry(stream)) != NULL) {
        snprintf(moved, sizeof(moved), "moved.%u", number++);
        if (unlinkat(file, entry->d_name, 0) == 0 || errno == ENOENT ||
            (errno == EISDIR && unlinkat(file, entry->d_name, AT_REMOVEDIR) == 0))
            continue;
        if (errno != ENOTEMPTY)
            error = report("remove %s", entry->d_name);
        else if (top == -1)
            error = clear(file, entry->d_name, file);
        else if (fchmodat(file, entry->d_name, 0700, 0) == -1 || /* its ".." changes */
                 (renameat(file, entry->d_name, top, moved) == -1 && errno != EEXIST &&
                  errno != ENOTEMPTY && errno != ENOTDIR))
            error = report("remove %s", entry->d_name);
    }
    closedir(stream);
    return error;
}

static int undo_tree(char *path)
{
    int error;

    /* A process that is just being killed may have made something in between. */
    while ((error = clear(AT_FDCWD, path, -1)) == 0 && rmdir(path) == -1 && errno != ENOENT)
        if (errno != ENOTEMPTY)
            return report("remove %s", path);
    const char *parent = dirname(path), *name = strrchr(parent, '/');
    if (name != NULL && strcmp(name, "/boxes") == 0)
        (void)rmdir(parent); /* with the last of them */
    return error;
}

int claim_undo_line(char *line, const char *token, int patience)
{
    const char *verb = strsep(&line, " ");

    if (strcmp(verb, "table") == 0)
        return nat_remove(NULL, NULL, token);
    if (line == NULL || strcmp(verb, "token") == 0 || strcmp(verb, "status") == 0)
        return 0;
    if (strcmp(verb, "group") == 0)
        return undo_group(line, patience);
    if (strcmp(verb, "frozen") == 0)
        return write_group(line, "cgroup.freeze", "0");
    if (strcmp(verb, "tree") == 0)
        return undo_tree(line);
    if (strcmp(verb, "bridge") == 0)
        return undo_bridge(line, token);

    const char *word = strsep(&line, " ");
    if (line != NULL && strcmp(verb, "element") == 0)
        return nat_remove(word, line, token);
    if (line != NULL && strcmp(verb, "setting") == 0)
        return setting_restore(word, line[0]);
    if (line != NULL && strcmp(verb, "symlink") == 0)
        return undo_symlink(word, line);
    return refuse("undo '%s': it is from another version", verb);
}
