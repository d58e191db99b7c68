#include "named.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "host.h"

#define NAMES   "/run/netns"
#define PARENT  "/run/ten-steps"
#define MARKERS PARENT "/netns"
#define MADE    ".made"    /* a marker that says: the directory of names is ours, too */
#define MOUNTED ".mounted" /* and this: its mount on itself is */

static int marker = -1; /* the file that this tool keeps locked while its name exists */

void named_check(const char *name)
{
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL || strlen(name) > NAME_MAX)
        fail("name: '%s' can't be the name of a network namespace", name);
}

/* Who changes names does so alone. Returns the directory of markers, locked; -1 with errno. */
static int enter(bool make)
{
    struct stat here;

    for (;;) {
        if (make && ((mkdir(PARENT, 0755) == -1 && errno != EEXIST) ||
                     (mkdir(MARKERS, 0755) == -1 && errno != EEXIST && errno != ENOENT)))
            break;
        int directory = open(MARKERS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory == -1 && make && errno == ENOENT)
            continue;
        if (directory == -1)
            break;
        bool locked = host_lock(directory) == 0 && fstat(directory, &here) == 0;
        if (locked && here.st_nlink > 0)
            return directory;
        close(directory);
        if (!make || !locked)
            break;
        /* It was removed while we waited. */
    }
    int error = errno;
    rmdir(MARKERS); /* unless somebody uses them */
    rmdir(PARENT);
    errno = error;
    return -1;
}

static bool is_empty(const char *path)
{
    DIR *directory = opendir(path);
    int entries = 0;

    if (directory == NULL)
        return errno == ENOENT; /* marked, and not made yet */
    while (readdir(directory) != NULL)
        entries++;
    closedir(directory);
    return entries == 2; /* "." and ".." */
}

static int unmount(const char *path)
{
    explain("umount --lazy %s\tumount2(\"%s\", MNT_DETACH)", path, path);
    return umount2(path, MNT_DETACH);
}

/* The last one removes the directory of names, as far as it is ours, and that of the markers. */
static void leave(int directory)
{
    if (is_empty(NAMES)) {
        if (faccessat(directory, MOUNTED, F_OK, 0) == 0 &&
            (unmount(NAMES) == 0 || errno == EINVAL || errno == ENOENT))
            unlinkat(directory, MOUNTED, 0);
        if (faccessat(directory, MADE, F_OK, 0) == 0 && (rmdir(NAMES) == 0 || errno == ENOENT))
            unlinkat(directory, MADE, 0);
    }
    rmdir(MARKERS);
    rmdir(PARENT);
    close(directory);
}

static int take_back(int directory, const char *name)
{
    char path[sizeof(NAMES) + NAME_MAX + 1];
    int error = 0;

    snprintf(path, sizeof(path), NAMES "/%s", name);
    if (unmount(path) == -1 && errno != EINVAL && errno != ENOENT)
        error = report("umount %s", path);
    if (error == 0 && unlink(path) == -1 && errno != ENOENT)
        error = report("remove %s", path);
    if (error == 0)
        unlinkat(directory, name, 0);
    return error;
}

void named_sweep(void)
{
    int directory = enter(false);
    DIR *markers = directory == -1 ? NULL : fdopendir(dup(directory));
    struct dirent *entry;

    if (directory == -1)
        return;
    while (markers != NULL && (entry = readdir(markers)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        int file = openat(directory, entry->d_name, O_RDONLY | O_CLOEXEC);
        if (file != -1 && flock(file, LOCK_EX | LOCK_NB) == 0)
            (void)take_back(directory, entry->d_name);
        if (file != -1)
            close(file);
    }
    if (markers != NULL)
        closedir(markers);
    leave(directory);
}

/* Note what is about to be made, so that it is found whatever happens then. */
static int mark(int directory, const char *name)
{
    int file = openat(directory, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (file == -1)
        return report("write " MARKERS "/%s", name);
    close(file);
    return 0;
}

/*
 * The directory of names is a mount of its own, and shared: so a name made in one mount namespace
 * is seen in all others, and so is its removal.
 */
static int make_directory(int directory)
{
    int error = 0;

    if (access(NAMES, F_OK) == -1)
        error = mark(directory, MADE);
    if (error != 0)
        return error;
    if (mkdir(NAMES, 0755) == -1 && errno != EEXIST)
        return report("mkdir " NAMES);
    explain("mount --make-shared " NAMES "\tmount(NULL, \"" NAMES "\", NULL, MS_SHARED, NULL)");
    if (mount(NULL, NAMES, NULL, MS_SHARED, NULL) == 0)
        return 0;
    if (errno != EINVAL) /* EINVAL: it is not a mount point yet */
        return report("mount " NAMES);
    if ((error = mark(directory, MOUNTED)) != 0)
        return error;
    explain("mount --rbind " NAMES " " NAMES "\tmount(\"" NAMES "\", \"" NAMES
            "\", NULL, MS_BIND|MS_REC, NULL)");
    if (mount(NAMES, NAMES, NULL, MS_BIND | MS_REC, NULL) == -1)
        return report("mount " NAMES);
    explain("mount --make-shared " NAMES "\tmount(NULL, \"" NAMES "\", NULL, MS_SHARED, NULL)");
    if (mount(NULL, NAMES, NULL, MS_SHARED, NULL) == -1)
        return report("mount " NAMES);
    return 0;
}

static int report_name(const char *name)
{
    if (errno == EEXIST)
        hint("'ip netns' lists the names; 'net --join %s' uses that namespace", name);
    return report("name %s", name);
}

static int make_name(const char *name, pid_t box)
{
    char path[sizeof(NAMES) + NAME_MAX + 1], name_space[64];
    int file = -1, error = 0;

    snprintf(path, sizeof(path), NAMES "/%s", name);
    snprintf(name_space, sizeof(name_space), "/proc/%d/ns/net", box);
    file = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
    if (file == -1)
        return report_name(name);
    close(file);
    explain("mount --bind %s %s\tmount(\"%s\", \"%s\", NULL, MS_BIND, NULL)", name_space, path,
            name_space, path);
    if (mount(name_space, path, NULL, MS_BIND, NULL) == -1) {
        error = errno == ENOENT ? host_box_ended(box) : report("mount %s", path);
        unlink(path);
    }
    return error;
}

int named_make(const char *name, pid_t box)
{
    int error = proc_check(), directory = error == 0 ? enter(true) : -1;

    if (error != 0)
        return error;
    if (directory == -1)
        return host_report_lock(MARKERS);
    marker = openat(directory, name, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (marker == -1) {
        error = report_name(name);
    } else {
        flock(marker, LOCK_EX | LOCK_NB);
        error = make_directory(directory);
        if (error == 0)
            error = make_name(name, box);
        if (error != 0) {
            unlinkat(directory, name, 0);
            close(marker);
            marker = -1;
        }
    }
    leave(directory);
    return error;
}

int named_remove(const char *name)
{
    int error, directory;

    if (marker == -1)
        return 0; /* it was not made */
    directory = enter(false);
    if (directory == -1)
        return host_report_lock(MARKERS);
    error = take_back(directory, name);
    leave(directory);
    close(marker);
    marker = -1;
    return error;
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
