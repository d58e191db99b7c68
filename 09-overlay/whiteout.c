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

enum { MOST_BYTES = 16 << 20 }; /* of all names of a layer's whiteouts */

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

/* One more name. False, without a word, if there is no room for it. */
static bool add(struct whiteouts *whiteouts, const char *name)
{
    size_t length = whiteouts->length + strlen(name) + 1;
    char *names = length < MOST_BYTES ? realloc(whiteouts->names, length) : NULL;

    if (names == NULL)
        return false;
    strcpy(names + whiteouts->length, name);
    *whiteouts = (struct whiteouts){.names = names, .length = length};
    return true;
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
    static char bytes[1 << 16];

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
    struct tar_member member;
    bool good = true;

    if (from == NULL || to == NULL)
        die("read a layer");
    while (good) {
        good = tar_next(from, to, &member) > 0;
        if (good && is_whiteout(member.name) && !add(&whiteouts, member.name))
            fail("a layer has more whiteouts than fit into %d bytes", MOST_BYTES);
        good = good && pass(from, to, tar_blocks(member.size));
        tar_forget(&member);
    }
    (void)pass(from, to, INT64_MAX);
    fclose(from);
    fclose(to);
    return whiteouts;
}

/*
 * The whiteout ".wh.NAME" in DIRECTORY. If the layer has a NAME itself, it is new, and hides what
 * is below.
 */
static int convert(int directory, const char *name)
{
    const char *deleted = name + strlen(mark);
    struct stat status;

    if (strcmp(name, opaque_mark) == 0)
        return mark_opaque(directory);
    if (deleted[0] == '\0' || strcmp(deleted, ".") == 0 || strcmp(deleted, "..") == 0)
        return refuse("whiteout %s: deletes nothing that could be there", name);
    if (fstatat(directory, deleted, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        int made_anew = openat(directory, deleted, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (made_anew == -1) /* not a directory: it hides anyway */
            return 0;
        int error = mark_opaque(made_anew);
        close(made_anew);
        return error;
    }
    /* EXERCISE 9.4: an image says ".wh.NAME"; let overlay see NAME deleted. mknod(2) */
    if (mknodat(directory, deleted, S_IFCHR, makedev(0, 0)) == -1)
        return report("whiteout %s", name);
    /* END */
    return 0;
}

/* Give a directory that has just been changed the times that it had BEFORE. */
static bool restore_times(int directory, const struct stat *before)
{
    return futimens(directory, (struct timespec[]){before->st_atim, before->st_mtim}) == 0;
}

/*
 * The directory PATH in TOP, made as tar makes those that a layer has files in and says nothing
 * about. Returns a descriptor, or -1 with errno.
 */
static int open_made(int top, char *path)
{
    int directory = open_inside(top, path[0] ? path : ".", O_RDONLY | O_DIRECTORY, 0);
    char *slash = strrchr(path, '/');
    struct stat before;

    if (directory != -1 || errno != ENOENT)
        return directory;
    if (slash != NULL)
        *slash = '\0';
    int above = open_made(top, slash ? path : path + strlen(path));
    if (slash != NULL)
        *slash = '/';
    if (above == -1)
        return -1;
    bool made = fstat(above, &before) == 0 && mkdirat(above, slash ? slash + 1 : path, 0755) == 0 &&
                restore_times(above, &before);
    int error = errno;
    close(above);
    errno = error;
    return made ? open_inside(top, path, O_RDONLY | O_DIRECTORY, 0) : -1;
}

/* Is ".." a part of PATH? */
static bool leads_up(const char *path)
{
    for (const char *dots = strstr(path, ".."); dots != NULL; dots = strstr(dots + 1, ".."))
        if ((dots == path || dots[-1] == '/') && (dots[2] == '/' || dots[2] == '\0'))
            return true;
    return false;
}

/* In the layer open as TOP. What lies below something else than a directory is hidden by that. */
static int make_whiteout(int top, char *path)
{
    char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    struct stat before;

    if (leads_up(path))
        return refuse("whiteout %s: Member name contains '..'", path);
    if (slash != NULL)
        *slash = '\0';
    int directory = open_made(top, slash ? path : path + strlen(path));
    if (directory == -1)
        return errno == ENOTDIR ? 0 : report("whiteout %s in %s", name, slash ? path : ".");
    int error = fstat(directory, &before) == -1 ? report("whiteout %s", name) : 0;
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

static int write_whiteout(int tar, const char *path, const char *start, const char *name)
{
    char *whole;

    if (asprintf(&whole, "%s%s%s", path, start, name) == -1)
        return report("whiteouts");
    int error = tar_write_header(tar, whole, 0);
    free(whole);
    return error;
}

/* PATH, relative to TOP, is empty or ends with a slash. One directory is open at a time. */
static int list_below(int top, const char *path, int tar, FILE *others)
{
    struct dirent **entries;
    int directory =
        open_inside(top, path[0] ? path : ".", O_RDONLY | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
    if (directory == -1) /* not one, or gone by now */
        return errno == ENOTDIR || errno == ELOOP || errno == ENOENT ? 0
                                                                     : report("read %.100s", path);
    int count = entries_read(directory, &entries);
    int error = count == -1 ? report("read %.100s", path) : 0;

    if (error == 0 && diff_is_opaque(directory))
        error = write_whiteout(tar, path, opaque_mark, "");
    for (int i = 0; i < count && error == 0; i++)
        if (diff_is_whiteout(directory, entries[i]->d_name))
            error = write_whiteout(tar, path, mark, entries[i]->d_name);
        else
            fprintf(others, "./%s%s%c", path, entries[i]->d_name, '\0');
    close(directory);
    for (int i = 0; i < count; i++) {
        char *longer = NULL;
        bool below = entries[i]->d_type == DT_DIR || entries[i]->d_type == DT_UNKNOWN;
        if (error == 0 && below)
            error = asprintf(&longer, "%s%s/", path, entries[i]->d_name) == -1
                        ? report("whiteouts")
                        : list_below(top, longer, tar, others);
        free(longer);
        free(entries[i]);
    }
    free(entries);
    return error;
}

int whiteouts_write(int tar)
{
    int top = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int list = memfd_create("names", MFD_CLOEXEC);
    FILE *others = list == -1 ? NULL : fdopen(dup(list), "w");

    if (top == -1 || others == NULL)
        return report("read the layer");
    fputs(".", others);
    fputc('\0', others);
    int error = list_below(top, "", tar, others);
    close(top);
    if (fclose(others) != 0 || lseek(list, 0, SEEK_SET) == -1)
        error = report("write");
    return error != 0 ? error : list;
}
