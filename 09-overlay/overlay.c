#define _GNU_SOURCE
#include "overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "../04-mnt/mount.h"
#include "../06-user/idmap.h"

enum { MAX_OPTIONS = 4095 }; /* a page less the final zero, as mount(2) takes it */

void stack_add(struct stack *stack, const char *lower)
{
    if (stack->count == OVERLAY_MAX_LAYERS)
        fail("lower %s: one layer more than the %d that can be stacked", lower, OVERLAY_MAX_LAYERS);
    stack->lowers[stack->count++] = lower;
}

/* Is PATH, which may be NULL, the directory DIRECTORY or in it? */
static bool lies_in(const char *path, const char *directory)
{
    char inner[PATH_MAX], outer[PATH_MAX];

    if (path == NULL || realpath(path, inner) == NULL || realpath(directory, outer) == NULL)
        return false;
    size_t length = strcmp(outer, "/") == 0 ? 0 : strlen(outer);
    return strncmp(inner, outer, length) == 0 && (inner[length] == '/' || inner[length] == '\0');
}

static void check_directory(const char *path)
{
    int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (directory == -1)
        die("layer %s", path);
    close(directory);
}

void overlay_check(const struct stack *stack)
{
    if (stack->count == 0)
        fail("a lower directory is missing: --lower DIR");
    if ((stack->upper == NULL) != (stack->work == NULL))
        fail("an upper and a work directory need each other: --upper DIR --work DIR");
    if (stack->upper != NULL) {
        check_directory(stack->upper);
        check_directory(stack->work);
    }
    for (size_t i = 0; i < stack->count; i++) {
        check_directory(stack->lowers[i]);
        if (lies_in(stack->upper, stack->lowers[i])) /* the kernel doesn't mind */
            fail("upper %s lies in lower %s: what is written above would appear below",
                 stack->upper, stack->lowers[i]);
    }
}

/* A comma ends the option and a colon the directory, so in a path those need the backslash. */
static void add_directory(FILE *options, const char *before, const char *path)
{
    fputs(before, options);
    for (; *path != '\0'; path++) {
        if (strchr(",:\\", *path) != NULL)
            fputc('\\', options);
        fputc(*path, options);
    }
}

/*
 * Options for mount(2).
 *
 * Some kernels are set to let overlay record in the upper layer, by an attribute, from where a
 * directory was moved, or that only the owner or mode of a file changed. Such a layer is not whole:
 * it could neither be committed nor could its changes be listed. With userxattr the kernel does no
 * such thing anyway.
 */
static char *make_options(const struct stack *stack)
{
    char *text = NULL;
    size_t size;
    FILE *options = open_memstream(&text, &size);

    if (options == NULL)
        die("open_memstream");
    for (size_t i = 0; i < stack->count; i++)
        add_directory(options, i == 0 ? "lowerdir=" : ":", stack->lowers[i]);
    /* EXERCISE 9.2: without these two nobody can write to the stack. mount(8), overlay */
    if (stack->upper != NULL) {
        add_directory(options, ",upperdir=", stack->upper);
        add_directory(options, ",workdir=", stack->work);
    }
    /* END */
    fputs(in_user_namespace() ? ",userxattr" : ",redirect_dir=nofollow,metacopy=off", options);
    if (fclose(options) != 0)
        die("fclose");
    return text;
}

/* An image may have a hundred layers with long names. Let each be a link in the scratch directory,
 * called by a number, that leads to what it was. Docker gives them short ones, too. */
static void shorten(struct stack *stack)
{
    for (size_t i = 0; i < stack->count; i++) {
        char *whole = realpath(stack->lowers[i], NULL), *link;
        if (whole == NULL || asprintf(&link, "%s/%zu", stack->scratch, i) == -1)
            die("%s", stack->lowers[i]);
        explain("ln -s %s %s\tsymlink(\"%s\", \"%s\")", whole, link, whole, link);
        if (symlink(whole, link) == -1)
            die("symlink %s", link);
        free(whole);
        stack->lowers[i] = link;
    }
}

/* The root of the stack is the upper directory: let it look like that of the topmost layer. */
static void copy_look(const struct stack *stack)
{
    struct stat status;

    if (stat(stack->lowers[0], &status) == -1)
        die("layer %s", stack->lowers[0]);
    const struct timespec times[] = {status.st_atim, status.st_mtim};
    (void)!chown(stack->upper, status.st_uid, status.st_gid); /* a user namespace may lack them */
    if (chmod(stack->upper, status.st_mode & 07777) == -1 ||
        utimensat(AT_FDCWD, stack->upper, times, 0) == -1)
        die("chmod %s", stack->upper);
}

void overlay_mount(struct stack *stack, const char *target)
{
    char *options = make_options(stack);
    int error = 0;

    if (stack->is_fresh)
        copy_look(stack);
    if (strlen(options) > MAX_OPTIONS) {
        shorten(stack);
        options = make_options(stack);
    }
    explain("mount -t overlay -o nodev,%s overlay %s\t"
            "mount(\"overlay\", \"%s\", \"overlay\", MS_NODEV, \"%s\")",
            options, target, target, options);
    /* EXERCISE 9.1: mount the stack of layers on TARGET. mount(2) */
    if (mount("overlay", target, "overlay", MS_NODEV, options) == -1)
        error = errno;
    /* END */
    if (error == ENODEV)
        hint("this kernel has no overlay file system: try 'sudo modprobe overlay'");
    else if (error == EINVAL || error == ELOOP)
        hint("upper and work must be on one file system, not an overlay, no directory in another; "
             "before Linux 5.19 no layer may have mapped ids: 'full run --userns host'; "
             "'sudo dmesg | grep overlay' has the kernel's own words");
    errno = error;
    if (error != 0)
        die("mount overlay on %s", target);
}

char *overlay_directory(const char *scratch, const char *name)
{
    char *path;

    if (asprintf(&path, "%s/%s", scratch, name) == -1)
        die("asprintf");
    explain("mkdir %s\tmkdir(\"%s\", 0755)", path, path);
    if (mkdir(path, 0755) == -1)
        die("mkdir %s", path);
    return path;
}

char *overlay_temporary(struct stack *stack, const char *scratch)
{
    mount_new("tmpfs", scratch, 0, "mode=755");
    stack->scratch = scratch;
    char *merged = overlay_directory(scratch, "merged");
    if (stack->upper == NULL) {
        stack->upper = overlay_directory(scratch, "upper");
        stack->work = overlay_directory(scratch, "work");
        stack->is_fresh = true;
    }
    return merged;
}

int overlay_below(const struct stack *stack)
{
    const char *place = overlay_directory(stack->scratch, "below");
    struct stack below = *stack;

    below.upper = below.work = NULL;
    below.is_fresh = false;
    if (below.count == 1) /* the kernel stacks two at least: it goes below, as it is still empty */
        stack_add(&below, place);
    overlay_mount(&below, place);
    int mounted = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    explain("umount -l %s\tumount2(\"%s\", MNT_DETACH)", place, place);
    if (mounted == -1 || umount2(place, MNT_DETACH) == -1)
        die("what is below, on %s", place);
    return mounted;
}

void stack_enter(const char *merged, const char *covered)
{
    static const char *const places[] = {"/proc", "/sys", "/dev"};
    struct root root = root_at(merged);
    struct stat status;

    root.no_links = true;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (strcmp(places[i], covered) != 0 &&
            fstatat(root.directory, places[i] + 1, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(status.st_mode))
            mount_bind(&root, places[i], places[i], 0);
    root_pivot(&root);
}

const char *overlay_scratch(const struct stack *stack, const char *also)
{
    static const char *const candidates[] = {"/mnt", "/srv", "/opt", "/run",
                                             "/tmp", "/var", "/sys"};

    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        const char *scratch = candidates[i];
        bool is_free = access(scratch, F_OK) == 0 && !lies_in(also, scratch) &&
                       !lies_in(stack->upper, scratch) && !lies_in(stack->work, scratch);
        for (size_t j = 0; j < stack->count && is_free; j++)
            is_free = !lies_in(stack->lowers[j], scratch);
        if (is_free)
            return scratch;
    }
    fail("no directory to mount on: /mnt, /srv, /tmp, /sys and others all hold layers");
}
