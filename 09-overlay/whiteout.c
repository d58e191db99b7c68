#define _GNU_SOURCE
#include "whiteout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/inside.h"
#include "diff.h"
#include "entries.h"
#include "tarfile.h"

enum {
    MAX_BYTES = 16 << 20, /* of all names of a layer's whiteouts */
    BUFFER = 1 << 16,
    OPEN_DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
};

static const char mark[] = ".wh.";
static const char opaque_mark[] = ".wh..wh..opq";
static const char aufs_mark[] = ".wh..wh."; /* aufs's own affairs, which mean nothing here */

static bool begins_with(const char *name, const char *start)
{
    return strncmp(name, start, strlen(start)) == 0;
}

/*
 * Overlay in a user namespace looks for "user.*", elsewhere for "trusted.*", which only the host's
 * root may set. The same layer may serve both kinds of box, so it gets both where that is possible.
 */
static int mark_opaque(int directory)
{
    bool user = fsetxattr(directory, "user.overlay.opaque", "y", 1, 0) == 0;

    if (fsetxattr(directory, "trusted.overlay.opaque", "y", 1, 0) == 0)
        return 0;
    return user && errno == EPERM ? 0 : report("mark a directory as opaque");
}

/* Is NAME, a member of a tar, a whiteout, or the opaque mark? What lies in one doesn't count. */
static bool is_whiteout(char *name)
{
    char *part = name, *slash;

    for (char *end = name + strlen(name); end > name && end[-1] == '/'; end--)
        end[-1] = '\0'; /* it may be a directory */
    while ((slash = strchr(part, '/')) != NULL && !begins_with(part, mark))
        part = slash + 1;
    if (slash != NULL || !begins_with(part, mark))
        return false;
    return strcmp(part, opaque_mark) == 0 || !begins_with(part, aufs_mark);
}

/* Up to SIZE bytes. False at the end of INPUT, or if nobody reads OUTPUT. */
static bool pass(FILE *input, FILE *output, off_t size)
{
    static char bytes[BUFFER];

    while (size > 0) {
        size_t part = size < (off_t)sizeof(bytes) ? (size_t)size : sizeof(bytes);
        size_t got = fread(bytes, 1, part, input);
        if (fwrite(bytes, 1, got, output) < got || got < part)
            return false;
        size -= (off_t)got;
    }
    return true;
}

/* A tar that makes no sense, or has an end, is passed on all the same: it is tar's to judge. */
struct whiteouts whiteouts_pass(int input, int output)
{
    FILE *from = fdopen(input, "r"), *to = fdopen(output, "w");
    struct whiteouts whiteouts = {.length = 0};
    FILE *names = open_memstream(&whiteouts.names, &whiteouts.length);
    struct tar_member member;
    bool good = true;

    if (from == NULL || to == NULL || names == NULL)
        die("read a layer");
    (void)setvbuf(from, NULL, _IOFBF, BUFFER); /* most files are small */
    (void)setvbuf(to, NULL, _IOFBF, BUFFER);
    while (good) {
        good = tar_next(from, to, &member) > 0;
        if (good && is_whiteout(member.name))
            fwrite(member.name, 1, strlen(member.name) + 1, names);
        if (ftell(names) > MAX_BYTES)
            fail("a layer has more whiteouts than fit into %d bytes", MAX_BYTES);
        good = good && pass(from, to, tar_blocks(member.size));
        tar_forget(&member);
    }
    (void)pass(from, to, INT64_MAX);
    fclose(from);
    fclose(to);
    if (fclose(names) != 0)
        die("read a layer");
    return whiteouts;
}

/*
 * The whiteout ".wh.NAME" in DIRECTORY. If the layer has a NAME itself, it is new, and hides what
 * is below.
 */
static int convert(int directory, const char *name)
{
    const char *deleted = name + strlen(mark);

    if (strcmp(name, opaque_mark) == 0)
        return mark_opaque(directory);
    if (deleted[0] == '\0' || strcmp(deleted, ".") == 0 || strcmp(deleted, "..") == 0)
        return refuse("whiteout %s: deletes nothing that could be there", name);
    int made_again = openat(directory, deleted, OPEN_DIRECTORY);
    if (made_again != -1) {
        int error = mark_opaque(made_again);
        close(made_again);
        return error;
    }
    /* What is there and not a directory hides by itself what is below. */
    /* EXERCISE 9.4: an image says ".wh.NAME"; let overlay see NAME deleted. mknod(2) */
    if (mknodat(directory, deleted, S_IFCHR, makedev(0, 0)) == -1 && errno != EEXIST)
        return report("whiteout %s", name);
    /* END */
    return 0;
}

/* Give a directory that has just been changed the times that it had BEFORE. */
static bool restore_times(int directory, const struct stat *before)
{
    return futimens(directory, (struct timespec[]){before->st_atim, before->st_mtim}) == 0;
}

/* Open the directory NAME in ABOVE, made as tar makes those that the layer says nothing about. */
static int open_made(int above, const char *name)
{
    int directory = openat(above, name, OPEN_DIRECTORY);
    struct stat before;

    if (directory != -1 || errno != ENOENT)
        return directory;
    bool made = fstat(above, &before) == 0 && mkdirat(above, name, 0755) == 0 &&
                restore_times(above, &before);
    return made ? openat(above, name, OPEN_DIRECTORY) : -1;
}

/* In the layer open as TOP. What lies below something else than a directory is hidden by that. */
static int make_whiteout(int top, char *path)
{
    int directory = fcntl(top, F_DUPFD_CLOEXEC, 0), next, error = 0;
    struct stat before;
    char *name, *rest = path;

    while ((name = strsep(&rest, "/")) != NULL && rest != NULL && error == 0 && directory != -1) {
        if (strcmp(name, "..") == 0)
            error = refuse("whiteout %s: Member name contains '..'", rest);
        if (error != 0 || name[0] == '\0' || strcmp(name, ".") == 0)
            continue;
        next = open_made(directory, name);
        close(directory);
        directory = next;
    }
    if (directory == -1)
        return errno == ENOTDIR || errno == ELOOP ? 0 : report("whiteout %s", name);
    if (error == 0 && fstat(directory, &before) == -1)
        error = report("whiteout %s", name);
    if (error == 0)
        error = convert(directory, name);
    if (error == 0 && !restore_times(directory, &before))
        error = report("whiteout %s", name);
    close(directory);
    return error;
}

int whiteouts_make(const struct whiteouts *whiteouts)
{
    int top = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = top == -1 ? report("open the layer") : 0;
    size_t length;

    for (size_t at = 0; at < whiteouts->length && error == 0; at += length) {
        length = strlen(whiteouts->names + at) + 1;
        error = make_whiteout(top, whiteouts->names + at);
    }
    close(top);
    return error;
}

/* PATH begins with ".", which the tar of an image leaves out. */
static int write_whiteout(int tar, const char *path, const char *start, const char *name)
{
    char *whole;

    if (asprintf(&whole, "%s/%s%s", path, start, name) == -1)
        return report("whiteouts");
    int error = tar_write_header(tar, whole + strlen("./"), 0);
    free(whole);
    return error;
}

/* The whiteouts in the directory PATH go to TAR, all other names there to NAMES. */
static int list_directory(int top, const char *path, int tar, FILE *names)
{
    int directory = open_inside(top, path, O_RDONLY | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
    struct dirent **entries = NULL;

    if (directory == -1 && (errno == ENOTDIR || errno == ELOOP || errno == ENOENT))
        return 0; /* not one, or gone by now */
    int count = directory == -1 ? -1 : entries_read(directory, &entries);
    int error = count == -1 ? report("read %.100s", path) : 0;

    if (error == 0 && diff_is_opaque(directory))
        error = write_whiteout(tar, path, opaque_mark, "");
    for (int i = 0; i < count; i++) {
        if (!diff_is_whiteout(directory, entries[i]->d_name))
            fprintf(names, "%s/%s%c", path, entries[i]->d_name, '\0');
        else if (error == 0)
            error = write_whiteout(tar, path, mark, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    close(directory);
    return error;
}

/* The list of names is also that of the directories still to be read: it grows while we read it. */
int whiteouts_write(int tar)
{
    int top = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int list = memfd_create("names", MFD_CLOEXEC), error = 0;
    char *names = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&names, &length);

    if (top == -1 || list == -1 || stream == NULL)
        return report("read the layer");
    fwrite(".", 1, 2, stream);
    for (size_t at = 0; error == 0 && fflush(stream) == 0 && at < length;) {
        char *path = strdup(names + at); /* the list may move */
        if (path == NULL)
            die("read the layer");
        error = list_directory(top, path, tar, stream);
        at += strlen(path) + 1;
        free(path);
    }
    close(top);
    if (error == 0 && (fclose(stream) != 0 || write_all(list, names, length) != 0 ||
                       lseek(list, 0, SEEK_SET) == -1))
        error = report("read the layer");
    free(names);
    return error != 0 ? error : list;
}
