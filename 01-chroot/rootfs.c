#include "rootfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inside.h"
#include "tool.h"

static const char marker[] = ".mkrootfs";        /* says that the directory is mkrootfs's own */
static const char temporary[] = ".mkrootfs.new"; /* a file before it gets its name */

static const char *root_name; /* as the user wrote it */
static int root = -1;

/* What is wrong at PATH inside, with the causes that one meets when writing files. */
static noreturn void die_at(const char *path)
{
    int error = errno;

    unlinkat(root, temporary, 0);
    if (error == ENOSPC || error == EDQUOT)
        hint("there is no room for it: see 'df %s'", root_name);
    else if (error == EACCES || error == EPERM)
        hint("'ls -ld' shows whose it is; who made %s can also write to it", root_name);
    else if (error == EXDEV)
        hint("something is mounted inside %s: unmount it first", root_name);
    else if (error == ENOTDIR || error == EISDIR || error == EEXIST || error == ELOOP)
        hint("something else is in its place: remove %s and make it anew", root_name);
    errno = error;
    die("%s%s", root_name, path);
}

/* The directory that PATH's last name is in, made if it isn't there; *NAME is that last name. */
static int open_parent(const char *path, const char **name);

static int open_directory(const char *path, mode_t mode)
{
    int directory = open_inside(root, path, O_PATH | O_DIRECTORY, RESOLVE_NO_XDEV);

    if (directory == -1 && errno == ENOENT) {
        const char *name;
        int parent = open_parent(path, &name);
        explain("mkdir -m %o %s%s\tmkdirat(\"%s\", %#o)", mode, root_name, path, path, mode);
        if (mkdirat(parent, name, mode) == -1)
            die_at(path);
        close(parent);
        directory = open_inside(root, path, O_PATH | O_DIRECTORY, RESOLVE_NO_XDEV);
    }
    return directory;
}

static int open_parent(const char *path, const char **name)
{
    char parent[PATH_MAX];

    *name = strrchr(path, '/') + 1;
    snprintf(parent, sizeof(parent), "/%.*s", (int)(*name - path), path);
    parent[strlen(parent) - (*name - path > 1)] = '\0'; /* "/usr/bin", and "/" for the root */
    int directory = open_directory(parent[1] == '/' ? parent + 1 : parent, 0755);
    if (directory == -1)
        die_at(path);
    return directory;
}

void rootfs_directory(const char *path, mode_t mode)
{
    int directory = open_directory(path, mode);

    if (directory != -1)
        close(directory);
    else if (errno != EXDEV) /* something is mounted on it: so it is there */
        die_at(path);
}

static int new_file(const char *path, mode_t mode)
{
    unlinkat(root, temporary, 0); /* of a run that was killed */
    int file = openat(root, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file == -1)
        die_at(path);
    return file;
}

static void put_in_place(const char *path)
{
    const char *name;
    int parent = open_parent(path, &name);

    if (renameat(root, temporary, parent, name) == -1)
        die_at(path);
    close(parent);
}

void rootfs_text(const char *path, const char *text)
{
    const char *name;
    struct stat there;
    int parent = open_parent(path, &name);
    int status = fstatat(parent, name, &there, AT_SYMLINK_NOFOLLOW);

    close(parent);
    if (status == 0)
        return;
    explain("touch %s%s    # and write to it\topenat(\"%s\", O_CREAT)", root_name, path, path);
    int file = new_file(path, 0644);
    if (dprintf(file, "%s", text) < 0 || close(file) == -1)
        die_at(path);
    put_in_place(path);
}

/* For --explain, too: first the directory, then what comes into it. */
static void make_parent(const char *path)
{
    const char *name;

    close(open_parent(path, &name));
}

static void copy_link(const char *path, const char *target)
{
    make_parent(path);
    explain("ln -sfn %s %s%s\tsymlinkat(\"%s\")", target, root_name, path, path);
    unlinkat(root, temporary, 0);
    if (symlinkat(target, root, temporary) == -1)
        die_at(path);
    put_in_place(path);
}

static void copy_file(const char *path)
{
    struct stat status;
    ssize_t sent;
    int source = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (source == -1 || fstat(source, &status) == -1) {
        hint("mkrootfs copies it as you, so you must be allowed to read it");
        die("%s", path);
    }
    if (!S_ISREG(status.st_mode))
        fail("%s: not a file", path);
    make_parent(path);
    explain("cp %s %s%s\tsendfile(\"%s\")", path, root_name, path, path);
    int file = new_file(path, status.st_mode & 0777); /* not 07777: no setuid, no setgid */
    while ((sent = sendfile(file, source, NULL, 1 << 30)) > 0)
        ;
    if (sent == -1 || close(file) == -1)
        die_at(path);
    close(source);
    put_in_place(path);
}

/* True for the first time that PATH is asked for in this run. */
static bool is_new(const char *path)
{
    static char *done; /* the paths so far, one behind the other */
    static size_t length;
    size_t size = strlen(path) + 1;

    for (const char *each = done; each < done + length; each += strlen(each) + 1)
        if (strcmp(each, path) == 0)
            return false;
    char *more = realloc(done, length + size);
    if (more == NULL)
        die("memory");
    memcpy(more + length, path, size);
    done = more;
    length += size;
    return true;
}

/* PREFIX/NAME into PATH, which may be PREFIX. */
static void join(char path[PATH_MAX], const char *prefix, const char *name)
{
    char joined[2 * PATH_MAX + 2];
    int length = snprintf(joined, sizeof(joined), "%s/%s", prefix, name);

    if (length >= PATH_MAX) {
        errno = ENAMETOOLONG;
        die("%.64s...", joined);
    }
    memcpy(path, joined, (size_t)length + 1);
}

/* REAL grows name by name, links resolved; what comes after it is in REST. */
bool rootfs_place(const char *path, char real[PATH_MAX])
{
    char here[PATH_MAX], rest[PATH_MAX], target[PATH_MAX];
    int links = 0;

    if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
        die("getcwd");
    join(rest, path[0] == '/' ? "" : here, path);
    for (real[0] = '\0'; rest[strspn(rest, "/")] != '\0';) {
        char *name = rest + strspn(rest, "/");
        size_t length = strcspn(name, "/");
        char *after = name + length + (name[length] == '/');

        name[length] = '\0';
        if (strcmp(name, "..") == 0 && real[0] != '\0')
            *strrchr(real, '/') = '\0';
        else if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            join(real, real, name);
        memmove(rest, after, strlen(after) + 1);

        ssize_t linked = readlink(real, target, sizeof(target) - 1);
        if (linked <= 0)
            continue;
        target[linked] = '\0';
        if (++links > 40) {
            errno = ELOOP;
            die("%s", path);
        }
        if (is_new(real))
            copy_link(real, target);
        join(rest, target, rest);
        *(target[0] == '/' ? real : strrchr(real, '/')) = '\0';
    }

    struct stat status;
    if (stat(real, &status) == -1)
        die("%s", path);
    if (!is_new(real))
        return false;
    if (S_ISDIR(status.st_mode))
        rootfs_directory(real, 0755);
    else
        copy_file(real);
    return true;
}

static bool is_empty(void)
{
    int again = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = again == -1 ? NULL : fdopendir(again);
    bool empty = true;
    struct dirent *entry;

    if (directory == NULL)
        die("%s", root_name);
    while ((entry = readdir(directory)) != NULL)
        empty &= strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(directory);
    return empty;
}

void rootfs_open(const char *directory)
{
    struct stat own, host, mark;

    umask(0); /* modes are meant as they are written */
    root_name = directory;
    if (mkdir(directory, 0755) == -1 && errno != EEXIST)
        die("%s", directory);
    root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root == -1 || fstat(root, &own) == -1 || stat("/", &host) == -1)
        die("%s", directory);
    if (own.st_dev == host.st_dev && own.st_ino == host.st_ino)
        fail("%s: this is the host's own root directory", directory);

    bool made_before = fstatat(root, marker, &mark, AT_SYMLINK_NOFOLLOW) == 0;
    if (made_before ? !S_ISREG(mark.st_mode) : !is_empty()) {
        hint("give it a new or an empty directory, or one that mkrootfs has made");
        fail("%s: has something in it that is not mkrootfs's", directory);
    }
    int mine = openat(root, marker, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
    if (mine == -1)
        die_at("/.mkrootfs");
    if (flock(mine, LOCK_EX | LOCK_NB) == -1) /* let go when the tool ends */
        fail("%s: another mkrootfs is at work there", directory);
}
