#include "overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "../04-mnt/inside.h"
#include "../04-mnt/mount.h"

enum { LONGEST_OPTIONS = 4095 }; /* a page less the final zero, as mount(2) takes it */

void stack_add(struct stack *stack, const char *lower)
{
    if (stack->count == OVERLAY_MOST_LAYERS)
        fail("lower %s: one layer more than the %d that the kernel stacks", lower,
             OVERLAY_MOST_LAYERS);
    stack->lowers = realloc(stack->lowers, (stack->count + 1) * sizeof(lower));
    if (stack->lowers == NULL)
        die("realloc");
    stack->lowers[stack->count++] = lower;
}

/* Is INNER the directory OUTER or below it? Both are absolute and without symbolic links. */
static bool lies_in(const char *inner, const char *outer)
{
    size_t length = strcmp(outer, "/") == 0 ? 0 : strlen(outer);
    return strncmp(inner, outer, length) == 0 && (inner[length] == '/' || inner[length] == '\0');
}

/* Where the directory WHAT, given as PATH, really lies. */
static int find(const char *what, const char *path, char real[PATH_MAX], struct stat *status)
{
    if (stat(path, status) == -1 || realpath(path, real) == NULL)
        return report("%s %s", what, path);
    return S_ISDIR(status->st_mode) ? 0 : refuse("%s %s: not a directory", what, path);
}

static int check_upper(const struct stack *stack, char upper[PATH_MAX])
{
    enum { OVERLAYFS_MAGIC = 0x794c7630 };
    struct stat upper_status, work_status;
    struct statfs file_system;
    char work[PATH_MAX];

    if (stack->work == NULL)
        return refuse("an upper directory needs a work directory beside it: --work DIR");
    int error = find("upper", stack->upper, upper, &upper_status);
    if (error == 0)
        error = find("work", stack->work, work, &work_status);
    if (error != 0)
        return error;
    if (upper_status.st_dev != work_status.st_dev)
        return refuse("upper %s and work %s are on different file systems", upper, work);
    if (lies_in(upper, work) || lies_in(work, upper))
        return refuse("upper %s and work %s: one lies in the other", upper, work);
    if (statfs(upper, &file_system) == 0 && file_system.f_type == OVERLAYFS_MAGIC)
        return refuse("upper %s lies on an overlay itself, which can't hold whiteouts", upper);
    return 0;
}

int overlay_check(const struct stack *stack)
{
    char upper[PATH_MAX] = "", lower[PATH_MAX];
    struct stat status;
    int error = 0;

    if (stack->count == 0)
        return refuse("a lower directory is missing: --lower DIR");
    if (stack->upper != NULL)
        error = check_upper(stack, upper);
    else if (stack->work != NULL)
        return refuse("a work directory is of no use without an upper one: --upper DIR");
    for (size_t i = 0; i < stack->count && error == 0; i++) {
        error = find("lower", stack->lowers[i], lower, &status);
        if (error != 0 || stack->upper == NULL)
            continue;
        if (lies_in(upper, lower))
            return refuse("upper %s lies in lower %s: what is written above would appear below",
                          stack->upper, stack->lowers[i]);
        if (lies_in(lower, upper))
            return refuse("lower %s lies in upper %s", stack->lowers[i], stack->upper);
    }
    return error;
}

/*
 * Some kernels are set to let overlay note in the upper layer, by an attribute, from where a
 * directory was moved, or that only the owner or mode of a file changed. Such a layer is not whole:
 * one could neither commit it nor list what changed. With userxattr the kernel does no such thing
 * anyway.
 */
static const char *marks(void)
{
    return in_user_namespace() ? ",userxattr" : ",redirect_dir=nofollow,metacopy=off";
}

/*
 * Add PATH to mount OPTIONS, as it is: a comma ends the option there and a colon the directory, so
 * those need the backslash. Or BRIEF: seen from /proc/self/fd, where the mount is made then, a
 * directory that is open as descriptor 7 is called "7". It is closed by the exec of the command.
 */
static bool add_directory(FILE *options, const char *before, const char *path, bool brief)
{
    fputs(before, options);
    if (brief) {
        int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory == -1)
            return report("open %s", path) == 0;
        return fprintf(options, "%d", directory) > 0;
    }
    for (; *path != '\0'; path++) {
        if (strchr(",:\\", *path) != NULL)
            fputc('\\', options);
        fputc(*path, options);
    }
    return true;
}

/* Options for mount(2), to be freed; NULL after report(). */
static char *make_options(const struct stack *stack, bool brief)
{
    char *text = NULL;
    size_t size;
    FILE *options = open_memstream(&text, &size);
    bool good = options != NULL;

    for (size_t i = 0; i < stack->count && good; i++)
        good = add_directory(options, i == 0 ? "lowerdir=" : ":", stack->lowers[i], brief);
    /* EXERCISE 9.2: without these two nobody can write to the stack. mount(8), overlay */
    if (stack->upper != NULL && good)
        good = add_directory(options, ",upperdir=", stack->upper, brief) &&
               add_directory(options, ",workdir=", stack->work, brief);
    /* END */
    if (good)
        fputs(marks(), options);
    if (options != NULL && fclose(options) == 0 && good)
        return text;
    free(text);
    return NULL;
}

static int mount_stack(const char *target, const char *options)
{
    int error = 0;

    explain("mount -t overlay -o nodev,%s overlay %s\t"
            "mount(\"overlay\", \"%s\", \"overlay\", MS_NODEV, \"%s\")",
            options, target, target, options);
    /* EXERCISE 9.1: mount the stack of layers on TARGET. mount(2) */
    if (mount("overlay", target, "overlay", MS_NODEV, options) == -1)
        error = errno;
    /* END */
    if (error == ENODEV)
        hint("this kernel has no overlay file system: try 'sudo modprobe overlay'");
    else if (error == EINVAL)
        hint("the kernel's own words on it are in 'sudo dmesg | grep overlay'");
    else if (error == EPERM && in_user_namespace())
        hint("overlay in a user namespace needs Linux 5.11 or newer");
    errno = error;
    return error != 0 ? report("mount overlay on %s", target) : 0;
}

/* The target may be relative to the working directory: so it becomes a descriptor too. */
static int mount_brief(const char *target, const char *options)
{
    int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int directory = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char name[16];

    if (back == -1 || directory == -1)
        return report("open %s", target);
    snprintf(name, sizeof(name), "%d", directory);
    explain("cd /proc/$$/fd\tchdir(\"/proc/self/fd\")");
    if (chdir("/proc/self/fd") == -1)
        return report("chdir /proc/self/fd");
    int error = mount_stack(name, options);
    if (fchdir(back) == -1 && error == 0)
        error = report("chdir back");
    close(back);
    close(directory);
    return error;
}

/* The root of the stack is the upper directory: let it look like that of the topmost layer. */
static int copy_look(const struct stack *stack, const char *upper)
{
    struct stat status;

    if (stat(stack->lowers[0], &status) == -1)
        return report("lower %s", stack->lowers[0]);
    if (chown(upper, status.st_uid, status.st_gid) == -1 && errno != EPERM && errno != EINVAL)
        return report("chown %s", upper); /* those two: an owner that this user namespace lacks */
    if (chmod(upper, status.st_mode & 07777) == -1 ||
        utimensat(AT_FDCWD, upper, (struct timespec[]){status.st_atim, status.st_mtim}, 0) == -1)
        return report("chmod %s", upper);
    return 0;
}

int overlay_mount(const struct stack *stack, const char *target)
{
    char *options = make_options(stack, false);
    bool brief = options != NULL && strlen(options) > LONGEST_OPTIONS;

    if (brief) {
        free(options);
        options = make_options(stack, true);
    }
    int error = options == NULL ? -ENOMEM : 0;
    if (error == 0 && stack->is_fresh)
        error = copy_look(stack, stack->upper);
    if (error == 0)
        error = brief ? mount_brief(target, options) : mount_stack(target, options);
    free(options);
    return error;
}

static int make_directory(char *path, const char *scratch, const char *name)
{
    snprintf(path, PATH_MAX, "%s/%s", scratch, name);
    explain("mkdir %s\tmkdir(\"%s\", 0755)", path, path);
    return mkdir(path, 0755) == -1 ? report("mkdir %s", path) : 0;
}

int overlay_temporary(struct stack *stack, const char *scratch, char *merged)
{
    static char upper[PATH_MAX], work[PATH_MAX];

    mount_new("tmpfs", scratch, scratch, 0, "mode=755");
    int error = make_directory(merged, scratch, "merged");
    if (stack->upper != NULL || error != 0)
        return error;
    error = make_directory(upper, scratch, "upper");
    if (error == 0)
        error = make_directory(work, scratch, "work");
    stack->upper = upper;
    stack->work = work;
    stack->is_fresh = true;
    return error;
}

int overlay_below(const struct stack *stack, const char *scratch)
{
    struct stack below = {.count = 0};
    char place[PATH_MAX];
    int error = make_directory(place, scratch, "below");

    for (size_t i = 0; i < stack->count; i++)
        stack_add(&below, stack->lowers[i]);
    if (stack->count == 1) /* the kernel stacks two at least: it goes below, as it is still empty */
        stack_add(&below, place);
    if (error == 0)
        error = overlay_mount(&below, place);
    free(below.lowers);
    if (error != 0)
        return error;
    int mounted = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    explain("umount -l %s\tumount2(\"%s\", MNT_DETACH)", place, place);
    if (mounted == -1 || umount2(place, MNT_DETACH) == -1)
        return report("what is below, on %s", place);
    return mounted;
}

void stack_enter(const char *merged, const char *covered)
{
    static const char *const places[] = {"/proc", "/sys", "/dev"};
    struct root root = {.path = merged, .no_links = true};
    struct stat status;

    root.directory = open(merged, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root.directory == -1)
        die("open %s", merged);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (strcmp(places[i], covered) != 0 &&
            fstatat(root.directory, places[i] + 1, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(status.st_mode))
            mount_bind(&root, places[i], places[i], 0);
    root_pivot(&root);
}

bool overlay_tmpfs_keeps_marks(void)
{
    int file = memfd_create("marks", MFD_CLOEXEC); /* as good as a file on a tmpfs */
    bool keeps = file != -1 && fsetxattr(file, "user.overlay.mark", "y", 1, 0) == 0;

    close(file);
    return keeps;
}

static bool covers(const char *scratch, const char *path)
{
    char real[PATH_MAX];
    return path != NULL && realpath(path, real) != NULL && lies_in(real, scratch);
}

const char *overlay_scratch(const struct stack *stack, const char *also)
{
    static const char *const candidates[] = {"/mnt", "/media", "/srv", "/opt",
                                             "/run", "/tmp",   "/var", "/sys"};

    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        const char *scratch = candidates[i];
        bool free_to_use = access(scratch, F_OK) == 0 && !covers(scratch, also) &&
                           !covers(scratch, stack->upper) && !covers(scratch, stack->work);
        for (size_t j = 0; j < stack->count && free_to_use; j++)
            free_to_use = !covers(scratch, stack->lowers[j]);
        if (free_to_use)
            return scratch;
    }
    (void)refuse("no directory to mount on: /mnt, /run, /tmp, /sys and others all hold layers");
    return NULL;
}
