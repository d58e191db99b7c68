#define _GNU_SOURCE
#include "diff.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/target.h"
#include "tar.h"

enum { NOTHING = '-' };

static bool is_whiteout(int directory, const char *name)
{
    struct stat status;

    return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(status.st_mode) &&
           status.st_rdev == makedev(0, 0);
}

/* Which of the two it is depends on whether the stack was mounted in a user namespace. */
bool diff_is_opaque(int directory)
{
    char value;

    if (fgetxattr(directory, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y')
        return true;
    return fgetxattr(directory, "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

static int is_name(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/*
 * Read DIRECTORY, which is PATH and becomes the working one: not every libc has scandirat(3), and
 * not every box has a /proc that would name it. Returns how many ENTRIES there are.
 */
static int read_names(int directory, const char *path, struct dirent ***entries)
{
    int count = fchdir(directory) == 0 ? scandir(".", entries, is_name, alphasort) : -1;

    if (count == -1)
        die("read %.100s", path);
    return count;
}

/* The directory PATH of a layer, never through a link: strangers chose the names. -1 if there is
 * none, or none any more. */
static int open_directory(int layer, const char *path)
{
    int directory = open_inside(layer, path, O_RDONLY | O_DIRECTORY, RESOLVE_NO_SYMLINKS);

    if (directory == -1 && errno != ENOTDIR && errno != ELOOP && errno != ENOENT)
        die("read %.100s", path);
    return directory;
}

/* --- what a box has changed ------------------------------------------------------------------- */

/* Is NAME in the open DIRECTORY, or nowhere if that is -1? */
static bool has(int directory, const char *name)
{
    return directory != -1 && faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What to say of NAME in the open directory UPPER, if BELOW is what it covers. */
static char kind_of(int upper, int below, const char *name)
{
    /* EXERCISE 9.3: 'A' if the box has added NAME, 'C' if changed, 'D' if deleted; or it has
       deleted what was never below. diff.h */
    bool existed = has(below, name);
    if (!is_whiteout(upper, name))
        return existed ? 'C' : 'A';
    if (existed)
        return 'D';
    /* END */
    return NOTHING;
}

static void print_directory(int upper, int below, const char *path, bool opaque);

/* NAME in PATH, and what is in it. */
static void print_name(int upper, int below, const char *path, const struct dirent *name,
                       bool opaque)
{
    char *joined, *shown;

    if (asprintf(&joined, "%s/%s", path, name->d_name) == -1 || (shown = strdup(joined)) == NULL)
        die("diff");
    tool_replace_control(shown, '?'); /* a terminal obeys them */
    printf("%c %s\n", name->d_type, shown + 1);
    free(shown);
    if (name->d_type != 'D')
        print_directory(upper, below, joined, opaque);
    free(joined);
}

/*
 * OPAQUE: a directory above this one is. What lies below one is not marked again. A directory made
 * again hides the one below: its names are deleted, unless made again too. Only this one is open,
 * and closed before those in it, however deep they lie.
 */
static void print_directory(int upper, int below, const char *path, bool opaque)
{
    int covered = open_directory(below, path), top = open_directory(upper, path), counts[2] = {0};
    struct dirent **names[2] = {NULL}; /* hidden ones, and those of the upper layer */

    opaque = opaque || diff_is_opaque(top);
    if (opaque && top != -1 && covered != -1)
        counts[0] = read_names(covered, path, &names[0]);
    if (top != -1)
        counts[1] = read_names(top, path, &names[1]);
    for (int i = 0; i < counts[0]; i++) /* the kind, instead of its type */
        names[0][i]->d_type = has(top, names[0][i]->d_name) ? NOTHING : 'D';
    for (int i = 0; i < counts[1]; i++)
        names[1][i]->d_type = (unsigned char)kind_of(top, covered, names[1][i]->d_name);
    close(top);
    close(covered);
    for (int list = 0; list < 2; free(names[list++]))
        for (int i = 0; i < counts[list]; free(names[list][i++]))
            if (names[list][i]->d_type != NOTHING)
                print_name(upper, below, path, names[list][i], opaque);
}

void diff_print(int upper, int below)
{
    print_directory(upper, below, ".", false);
    if (fflush(stdout) != 0)
        die("write");
}

/* --- whiteouts from images -------------------------------------------------------------------- */

static const char mark[] = ".wh.";
static const char opaque_mark[] = ".wh..wh..opq";
static const char aufs_mark[] = ".wh..wh."; /* aufs's own affairs, which mean nothing here */

/*
 * Overlay in a user namespace looks for "user.*", elsewhere for "trusted.*", which only the host's
 * root may set. The same layer may serve both kinds of box, so it gets both where that is possible.
 */
static void mark_opaque(int directory)
{
    bool user = fsetxattr(directory, "user.overlay.opaque", "y", 1, 0) == 0;

    if (fsetxattr(directory, "trusted.overlay.opaque", "y", 1, 0) == -1 &&
        !(user && errno == EPERM))
        die("mark a directory as opaque");
}

/*
 * The file NAME, which is ".wh." and a name, becomes a whiteout. If the layer has a directory of
 * that name itself, that is new, and hides what is below; so does anything else by being there.
 */
static void convert(int directory, const char *name)
{
    const char *deleted = name + strlen(mark);

    if (unlinkat(directory, name, 0) == -1 && unlinkat(directory, name, AT_REMOVEDIR) == -1)
        die("remove %s", name);
    if (deleted[0] == '\0' || strcmp(deleted, ".") == 0 || strcmp(deleted, "..") == 0)
        fail("whiteout %s: deletes nothing that could be there", name);
    /* EXERCISE 9.4: let overlay see what NAME says: DELETED is deleted below, or made again as a
       directory; or it is one of the two special marks above. mknod(2), openat(2) */
    if (strcmp(name, opaque_mark) == 0)
        mark_opaque(directory);
    if (strncmp(name, aufs_mark, strlen(aufs_mark)) == 0)
        return;
    int again = openat(directory, deleted, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (again != -1) {
        mark_opaque(again);
        close(again);
        return;
    }
    if (mknodat(directory, deleted, S_IFCHR, makedev(0, 0)) == -1 && errno != EEXIST)
        die("whiteout %s", name);
    /* END */
}

/* --- an empty file in a tar: tar(5) ----------------------------------------------------------- */

/* Of TYPE '0' a file, 'L' what holds the next one's name, SIZE bytes. Root's, from 1970. */
static void write_header(FILE *tar, const char *name, char type, size_t size)
{
    struct tar_header header = {.mode = "0000644",
                                .uid = "0000000",
                                .gid = "0000000",
                                .mtime = "00000000000",
                                .type = type,
                                .magic = "ustar",
                                .version = {'0', '0'}};

    memcpy(header.name, name, strnlen(name, sizeof(header.name)));
    snprintf(header.size, sizeof(header.size), "%011zo", size);
    snprintf(header.checksum, sizeof(header.checksum), "%06o", tar_checksum(header));
    fwrite(&header, 1, sizeof(header), tar);
}

/*
 * PATH begins with "./", as in tar's own headers: by another name it would take a directory for
 * two. The whole name, which may be long, stands in blocks of its own before the header.
 */
static void write_whiteout(FILE *tar, const char *path, const char *start, const char *name)
{
    static const char zeros[TAR_BLOCK];
    char *whole;
    int length = asprintf(&whole, "%s/%s%s", path, start, name);

    if (length == -1)
        die("whiteouts");
    write_header(tar, "././@LongLink", 'L', (size_t)length + 1);
    fwrite(whole, 1, (size_t)length, tar);
    fwrite(zeros, 1, (size_t)(TAR_BLOCK - length % TAR_BLOCK), tar);
    write_header(tar, whole, '0', 0);
    free(whole);
}

/* --- all directories of a layer --------------------------------------------------------------- */

/* The whiteouts in the directory PATH; all other names in it go to NAMES. */
static void do_directory(int top, const char *path, FILE *tar, FILE *names)
{
    int directory = open_directory(top, path);
    struct dirent **entries;
    struct stat before;

    if (directory == -1)
        return;
    if (fstat(directory, &before) == -1)
        die("read %.100s", path);
    if (tar != NULL && diff_is_opaque(directory))
        write_whiteout(tar, path, opaque_mark, "");
    for (int count = read_names(directory, path, &entries), i = 0; i < count; free(entries[i++])) {
        const char *name = entries[i]->d_name;
        if (tar == NULL && strncmp(name, mark, strlen(mark)) == 0)
            convert(directory, name);
        else if (tar != NULL && is_whiteout(directory, name))
            write_whiteout(tar, path, mark, name);
        else
            fprintf(names, "%s/%s%c", path, name, '\0');
    }
    free(entries);
    if (tar == NULL)
        (void)futimens(directory, (struct timespec[]){before.st_atim, before.st_mtim});
    close(directory);
}

/*
 * Make overlay's whiteouts, or write those of images to TAR. Returns the names of all else there.
 * That is also the list of the directories still to be read: it grows while we read it, and no more
 * than one directory is open, however deep they lie.
 */
static char *do_layer(FILE *tar, size_t *length)
{
    int top = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char *names = NULL;
    FILE *stream = open_memstream(&names, length);

    if (top == -1 || stream == NULL)
        die("read the layer");
    fwrite(".", 1, 2, stream);
    for (size_t at = 0; fflush(stream) == 0 && at < *length;) {
        char *path = strdup(names + at); /* the list may move */
        if (path == NULL)
            die("read the layer");
        do_directory(top, path, tar, stream);
        at += strlen(path) + 1;
        free(path);
    }
    close(top);
    if (fclose(stream) != 0)
        die("read the layer");
    return names;
}

void whiteouts_make(void)
{
    size_t length;

    free(do_layer(NULL, &length));
}

int whiteouts_write(int tar)
{
    int list = memfd_create("names", MFD_CLOEXEC);
    FILE *stream = fdopen(dup(tar), "w");
    size_t length;

    if (list == -1 || stream == NULL)
        die("read the layer");
    char *names = do_layer(stream, &length);
    if (fclose(stream) != 0 || write(list, names, length) != (ssize_t)length ||
        lseek(list, 0, SEEK_SET) == -1)
        die("write");
    free(names);
    return list;
}
