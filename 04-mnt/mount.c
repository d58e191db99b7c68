#define _GNU_SOURCE
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h> /* not together with <sys/mount.h>: some versions of the two clash */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"

/* Set or clear the flag that WORD names in FLAGS. False if it names none. */
static bool take_flag(unsigned long *flags, const char *word)
{
    static const struct {
        const char *set, *clear;
        unsigned long flag;
    } known[] = {
        {"ro", "rw", MS_RDONLY},
        {"noexec", "exec", MS_NOEXEC},
        {"nosuid", "suid", MS_NOSUID},
        {"nodev", "dev", MS_NODEV},
        {"z", "Z", 0}, /* docker's, for SELinux: we set no labels */
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        bool set = strcmp(word, known[i].set) == 0;
        if (!set && strcmp(word, known[i].clear) != 0)
            continue;
        *flags = set ? *flags | known[i].flag : *flags & ~known[i].flag;
        return true;
    }
    return false;
}

struct bind bind_parse(const char *text, bool tmpfs)
{
    struct bind bind = {.flags = tmpfs ? MS_NOEXEC | MS_NOSUID | MS_NODEV : MS_NODEV};
    char *rest = strdup(text), *options = calloc(1, strlen(text) + 1), *word;

    if (rest == NULL || options == NULL)
        die("mount %s", text);
    bind.source = tmpfs ? NULL : strsep(&rest, ":");
    bind.target = strsep(&rest, ":");
    while ((word = strsep(&rest, ",")) != NULL)
        if (!take_flag(&bind.flags, word))
            bind.options = strcat(strcat(options, options[0] != '\0' ? "," : ""), word);
    if (!tmpfs && (bind.target == NULL || bind.options != NULL || !(bind.flags & MS_NODEV)))
        fail("invalid bind '%s': expected SOURCE:TARGET or SOURCE:TARGET:OPTION,... with options "
             "ro, rw, noexec or nosuid",
             text);
    if (bind.target[0] != '/')
        fail("invalid target '%s': expected an absolute path in the root", bind.target);
    if (bind.target[strspn(bind.target, "/.")] == '\0')
        fail("invalid target '%s': it is the root itself", bind.target);
    return bind;
}

int tree_copy(const char *path)
{
    return (int)syscall(SYS_open_tree, AT_FDCWD, path,
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
}

int tree_set(int tree, uint64_t attributes, int user_namespace, bool recursive)
{
    struct mount_attr change = {.attr_set = attributes, .userns_fd = (uint64_t)user_namespace};
    unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

    if (user_namespace > 0) /* it comes from the host, whose mounts may be shared */
        change.propagation = MS_PRIVATE;
    return (int)syscall(SYS_mount_setattr, tree, "", flags, &change, sizeof(change));
}

int tree_attach(int tree, int directory, const char *name)
{
    return (int)syscall(SYS_move_mount, tree, "", directory, name,
                        MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static long configure(int system, unsigned command, const char *key, const char *value)
{
    return syscall(SYS_fsconfig, system, command, key, value, 0);
}

/*
 * A new file system as a mount with ATTRIBUTES that has no place yet. Unlike mount(2), this gives
 * us a descriptor of the very file system from the start. fsopen(2), fsconfig(2), fsmount(2)
 */
static int tree_new(const char *type, uint64_t attributes, const char *options)
{
    int system = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
    char *rest = options != NULL ? strdupa(options) : NULL, *value;

    if (system == -1)
        return -1;
    long error = configure(system, FSCONFIG_SET_STRING, "source", type);
    while (error == 0 && (value = strsep(&rest, ",")) != NULL) { /* "mode=755,..." one by one */
        const char *key = strsep(&value, "=");
        error = configure(system, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value);
    }
    if (error != 0 || configure(system, FSCONFIG_CMD_CREATE, NULL, NULL) == -1)
        return -1;
    return (int)syscall(SYS_fsmount, system, FSMOUNT_CLOEXEC, attributes);
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

void mount_set(int tree, const char *path, unsigned long flags)
{
    struct mount_words words = mount_words("MOUNT_ATTR_", flags, "remount,bind");

    explain("findmnt -Rlno TARGET %s | xargs -n1 mount%s\tmount_setattr(\"%s\", %s, AT_RECURSIVE)",
            path, words.options, path, words.names);
    if (tree_set(tree, flags, 0, true) == -1) {
        if (errno == EINVAL)
            hint("only a mount has attributes: is the directory bound to itself?");
        die("mount%s %s", words.options, path);
    }
}

void mount_tree(const struct root *root, int tree, const char *source, const char *target,
                unsigned long flags)
{
    struct stat status;

    if (fstat(tree, &status) == -1)
        die("bind %s", source);
    int place = root_target(root, target, status.st_mode & S_IFMT);
    const char *there = target_shown(root, target);
    explain("mount --rbind %s %s\tmove_mount(\"%s\")", source, there, target);
    if (tree_attach(tree, place, "") == -1) {
        if (errno == EINVAL)
            hint("a directory can only cover a directory, and a file a file");
        die("bind %s to %s", source, there);
    }
    if (flags != 0)
        mount_set(tree, there, flags);
}

void mount_bind(const struct root *root, const char *source, const char *target,
                unsigned long flags)
{
    mount_tree(root, mount_take(source), source, target, flags);
}

struct root mount_inside(const struct root *root, const char *target, const char *type,
                         unsigned long flags, const char *options)
{
    struct mount_words words = mount_words("MOUNT_ATTR_", flags, options);
    struct root mounted = {.no_links = true};

    explain("# a new %s\tfsopen(\"%s\")", type, type);
    explain("# ... as a mount without a place\tfsmount(%s)", words.names);
    mounted.directory = tree_new(type, flags, options);
    if (mounted.directory == -1) {
        mount_hint(type, options);
        die("make a new %s for %s", type, target_shown(root, target));
    }
    int place = root_target(root, target, S_IFDIR);
    mounted.path = strdup(target_shown(root, target));
    explain("mount -t %s%s %s %s\tmove_mount(\"%s\")", type, words.options, type, mounted.path,
            mounted.path);
    if (mounted.path == NULL || tree_attach(mounted.directory, place, "") == -1)
        die("mount %s on %s", type, target);
    return mounted;
}
