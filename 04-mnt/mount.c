#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "inside.h"
#include "tree.h"

enum { MAX_MISSING = 200 }; /* directories to make and links to follow for one target */

/* TARGET in ROOT as the shell would name it. The text lasts until the next call. */
static const char *shown(const struct root *root, const char *target)
{
    static char path[4096];

    snprintf(path, sizeof(path), "%s/%s", root->path, target + strspn(target, "/"));
    return path;
}

char *target_parse(const char *text)
{
    char *names = strdup(text), *target = calloc(1, strlen(text) + 1), *end = target;
    const char *name;

    if (names == NULL || target == NULL)
        die("target '%s'", text);
    if (text[0] != '/')
        fail("target '%s': has to be an absolute path inside the root", text);
    for (char *rest = names; (name = strsep(&rest, "/")) != NULL;) {
        if (strcmp(name, "..") == 0)
            fail("target '%s': leads out of the root", text);
        if (name[0] != '\0' && strcmp(name, ".") != 0)
            end = stpcpy(stpcpy(end, "/"), name);
    }
    if (end == target)
        fail("target '%s': is the root itself", text);
    free(names);
    return target;
}

void targets_check(const struct bind *mounts, int count)
{
    for (int i = 0; i < count; i++)
        for (int other = 0; other < i; other++)
            if (strcmp(mounts[i].target, mounts[other].target) == 0)
                fail("two mounts at %s: the second would hide the first", mounts[i].target);
}

struct bind bind_parse(const char *text)
{
    struct bind bind = {.read_only = false};
    char *rest = strdup(text);

    if (rest == NULL)
        die("strdup");
    bind.source = strsep(&rest, ":");
    bind.target = strsep(&rest, ":");
    if (bind.target == NULL || bind.source[0] == '\0' || bind.target[0] == '\0')
        fail("'%s': is not SOURCE:TARGET or SOURCE:TARGET:ro", text);
    for (char *word; (word = strsep(&rest, ",")) != NULL;) {
        bind.read_only = bind.read_only || strcmp(word, "ro") == 0;
        /* z and Z ask docker for labels of SELinux, of which there are none here. */
        if (strcmp(word, "ro") != 0 && strcmp(word, "rw") != 0 && strcasecmp(word, "z") != 0)
            fail("'%s': invalid option '%s': expected ro, rw, z or Z", text, word);
    }
    bind.target = target_parse(bind.target);
    return bind;
}

void mounts_set_propagation(const char *kind)
{
    if (strcmp(kind, "private") == 0) {
        mounts_make_private();
    } else if (strcmp(kind, "slave") == 0) {
        explain("mount --make-rslave /\tmount(NULL, \"/\", NULL, MS_REC|MS_SLAVE, NULL)");
        if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == -1)
            die("make the mounts slaves");
    } /* shared: a new mount namespace keeps what its mounts had */
}

struct root root_current(void)
{
    struct root root = {.path = "", .make_missing = false};

    root.directory = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root.directory == -1)
        die("open /");
    return root;
}

static const char *whole_path(const char *directory)
{
    const char *path = realpath(directory, NULL);

    if (path == NULL)
        die("root directory %s", directory);
    return path;
}

/* For a root that somebody else has filled. */
static void forbid_devices(const struct root *root)
{
    explain("findmnt -Rlno TARGET %s | xargs -n1 mount -o remount,bind,nodev\t"
            "mount_setattr(\"%s\", MOUNT_ATTR_NODEV, AT_RECURSIVE)",
            root->path, root->path);
    if (tree_set(root->directory, TREE_NODEV, 0, true) == -1) {
        if (errno == EINVAL)
            hint("only a mount point can be 'nodev': is the directory bound to itself?");
        die("make %s nodev", root->path);
    }
}

struct root root_prepare(const char *directory)
{
    /* Once there is a mount on it "." still leads below that, and its whole path to the mount. */
    if (directory[0] != '\0' && directory[strspn(directory, "./")] == '\0')
        directory = whole_path(directory);
    explain("mount --rbind %s %s\tmount(\"%s\", \"%s\", NULL, MS_BIND|MS_REC, NULL)", directory,
            directory, directory, directory);
    /* EXERCISE 4.1: pivot_root(2) wants a mount point: bind DIRECTORY to itself. mount(2) */
    if (mount(directory, directory, NULL, MS_BIND | MS_REC, NULL) == -1)
        die("root directory %s", directory);
    /* END */
    struct root root = root_at(directory);
    forbid_devices(&root);
    return root;
}

struct root root_at(const char *directory)
{
    struct root root = {.path = directory, .make_missing = true};

    root.directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root.directory == -1)
        die("root directory %s", directory);
    return root;
}

struct root root_adopt(int tree, const char *source, const char *directory)
{
    struct root root = {.directory = tree, .path = directory, .make_missing = true};
    int place = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

    explain("mount --rbind %s %s\tmove_mount(\"%s\")", source, directory, directory);
    if (place == -1 || tree_attach(tree, place) == -1)
        die("root directory %s on %s", source, directory);
    close(place);
    forbid_devices(&root);
    return root;
}

static int find_target(const struct root *root, const char *path, mode_t kind, int steps);

/* Where the link NAME in DIRECTORY, open as ABOVE, leads: to be freed. NULL if it isn't a link. */
static char *read_link(int above, const char *directory, const char *name)
{
    static char link[PATH_MAX];
    ssize_t length = readlinkat(above, name, link, sizeof(link) - 1);
    char *path;

    if (length == -1)
        return NULL;
    link[length] = '\0';
    if (asprintf(&path, "%s/%s", link[0] == '/' ? "" : directory, link) == -1)
        die("asprintf");
    return path;
}

/*
 * Make PATH, and first the directories above it that are missing too. A link stays as it is, and
 * what it leads to is made: a path inside the root like any other.
 */
static void make_target(const struct root *root, const char *path, mode_t kind, int steps)
{
    char *for_above = strdup(path), *for_name = strdup(path);
    if (for_above == NULL || for_name == NULL)
        die("strdup");

    const char *directory = dirname(for_above), *name = basename(for_name);
    int above = find_target(root, directory, S_IFDIR, steps + 1), made = 0;
    char *leads_to = read_link(above, directory, name);
    if (leads_to != NULL) {
        close(find_target(root, leads_to, kind, steps + 1));
    } else {
        explain("%s %s\t%s(\"%s\")", kind == S_IFDIR ? "mkdir" : "touch", shown(root, path),
                kind == S_IFDIR ? "mkdirat" : "mknodat", name);
        mode_t mask = umask(022); /* the caller's is not for what others will use */
        made =
            kind == S_IFDIR ? mkdirat(above, name, 0755) : mknodat(above, name, S_IFREG | 0644, 0);
        umask(mask);
    }
    if (made == -1 && errno != EEXIST)
        die("make %s", shown(root, path));
    close(above);
    free(leads_to);
    free(for_above);
    free(for_name);
}

int root_find(const struct root *root, const char *path)
{
    return open_inside(root->directory, path, O_PATH, root->no_links ? RESOLVE_NO_SYMLINKS : 0);
}

int root_look(const struct root *root, const char *path)
{
    int found = root_find(root, path);

    if (found == -1 && errno != ENOENT && (root->no_links || (errno != ENOTDIR && errno != ELOOP)))
        die("look for %s", shown(root, path));
    return found;
}

/* As root_target(), after so many STEPS towards it. */
static int find_target(const struct root *root, const char *path, mode_t kind, int steps)
{
    int target = root_find(root, path);
    struct stat status;

    if (target == -1 && errno == ENOENT && root->make_missing) {
        if (steps > MAX_MISSING)
            fail("too many missing directories, or links in circles, on the way to %s",
                 shown(root, path));
        make_target(root, path, kind, steps);
        target = root_find(root, path);
    }
    if (target == -1 && errno == ELOOP && root->no_links) {
        hint("a link could lead the mount, and what protects it, anywhere: make it a directory");
        fail("target %s: expected a directory, found a symbolic link", shown(root, path));
    }
    if (target == -1) {
        if (errno == ENOENT)
            hint("what is mounted on has to exist: make it with mkdir (or touch, for a file)");
        die("target %s", shown(root, path));
    }
    if (fstat(target, &status) == -1)
        die("target %s", shown(root, path));
    if (S_ISDIR(status.st_mode) != (kind == S_IFDIR))
        fail("target %s: is %sa directory, and what is mounted there is %sone", shown(root, path),
             S_ISDIR(status.st_mode) ? "" : "not ", kind == S_IFDIR ? "" : "not ");
    return target;
}

int root_target(const struct root *root, const char *path, mode_t kind)
{
    return find_target(root, path, kind, 0);
}

int mount_take(const char *source)
{
    explain("# take what is at %s\topen_tree(\"%s\", OPEN_TREE_CLONE|AT_RECURSIVE)", source,
            source);
    int tree = tree_copy(source);
    if (tree == -1)
        die("bind %s", source);
    return tree;
}

void mount_bind(const struct root *root, const char *source, const char *target,
                unsigned long flags)
{
    int tree = mount_take(source);

    mount_tree(root, tree, source, target, flags);
    close(tree);
}

void mount_tree(const struct root *root, int tree, const char *source, const char *target,
                unsigned long flags)
{
    struct mount_words words = mount_words("MOUNT_ATTR_", flags);
    struct stat status;

    if (fstat(tree, &status) == -1)
        die("bind %s", source);
    int place = root_target(root, target, S_ISDIR(status.st_mode) ? S_IFDIR : S_IFREG);
    const char *there = shown(root, target);
    if (flags != 0) {
        explain("# %s, with all below it\tmount_setattr(%s, AT_RECURSIVE)", words.options,
                words.names);
        if (tree_set(tree, flags, 0, true) == -1)
            die("make %s %s", there, words.options);
        /* -o ro of mount(8) would be for the uppermost mount alone */
        explain("mount --rbind %s %s && findmnt -Rlno TARGET %s | xargs -n1 mount -o "
                "remount,bind,%s\tmove_mount(\"%s\")",
                source, there, there, words.options, target);
    } else {
        explain("mount --rbind %s %s\tmove_mount(\"%s\")", source, there, target);
    }
    if (tree_attach(tree, place) == -1)
        die("bind %s to %s", source, there);
    close(place);
}

int mount_on(int place, const char *type, const char *shown, unsigned long flags,
             const char *options)
{
    struct mount_words words = mount_words("MOUNT_ATTR_", flags);

    explain("# a %s to be mounted\tfsopen(\"%s\")", type, type);
    explain("# ... a mount that has no place yet\tfsmount(%s)", words.names);
    int tree = tree_new(type, flags, options);
    if (tree == -1) {
        mount_hint(type, options);
        die("make a new %s for %s", type, shown);
    }
    explain("mount -t %s%s%s%s%s %s %s\tmove_mount(\"%s\")", type, flags || options ? " -o " : "",
            words.options, flags && options ? "," : "", options ? options : "", type, shown, shown);
    if (tree_attach(tree, place) == -1)
        die("mount %s on %s", type, shown);
    return tree;
}

int mount_inside(const struct root *root, const char *target, const char *type, unsigned long flags,
                 const char *options)
{
    int place = root_target(root, target, S_IFDIR);
    int tree = mount_on(place, type, shown(root, target), flags, options);

    close(place);
    return tree;
}

/* ROOT for the mounts of the tool's own. */
static struct root without_links(const struct root *root)
{
    struct root strict = *root;

    strict.no_links = true;
    return strict;
}

/* The mount TREE at TARGET in ROOT as a root itself. Its name is needed to the end. */
static struct root as_root(const struct root *root, const char *target, int tree)
{
    struct root mounted = {.directory = tree, .make_missing = true, .no_links = true};
    char *path;

    if (asprintf(&path, "%s%s", root->path, target) == -1)
        die("asprintf");
    mounted.path = path;
    return mounted;
}

struct root mount_root(const struct root *root, const char *target, const char *type,
                       unsigned long flags, const char *options)
{
    struct root strict = without_links(root);

    return as_root(root, target, mount_inside(&strict, target, type, flags, options));
}

struct root mount_bound_root(const struct root *root, const char *source, const char *target,
                             unsigned long flags)
{
    struct root strict = without_links(root);
    int tree = mount_take(source);

    mount_tree(&strict, tree, source, target, flags);
    return as_root(root, target, tree);
}

void mount_read_only(const struct root *root)
{
    explain("mount -o remount,bind,ro %s/\tmount_setattr(\"%s/\", MOUNT_ATTR_RDONLY)", root->path,
            root->path);
    /* EXERCISE 4.3: let nobody in the box write to its root. mount_setattr(2), tree.h */
    if (tree_set(root->directory, TREE_READ_ONLY, 0, false) == -1)
        die("make %s/ read-only", root->path);
    /* END */
}

void root_pivot(const struct root *root)
{
    explain("cd %s\tfchdir(\"%s\")", root->path, root->path);
    if (fchdir(root->directory) == -1)
        die("go to %s", root->path);

    /*
     * With "." for both, the old root ends up mounted on top of the new one, and needs no directory
     * of its own. The next call takes the topmost away. pivot_root(2) has it under NOTES.
     */
    explain("pivot_root . .\tpivot_root(\".\", \".\")");
    /* EXERCISE 4.2: exchange the roots, then detach the old one. pivot_root(2), umount2(2) */
    if (syscall(SYS_pivot_root, ".", ".") == -1) {
        if (errno == EINVAL)
            hint("the new root must be a mount point, neither it nor its parent shared, and the "
                 "old root not the initramfs");
        else if (errno == EBUSY)
            hint("it is the root already");
        die("pivot_root to %s", root->path);
    }
    explain("umount -l .\tumount2(\".\", MNT_DETACH)");
    if (umount2(".", MNT_DETACH) == -1)
        die("detach the old root");
    /* END */
    if (chdir("/") == -1)
        die("chdir /");
    close(root->directory);
}
