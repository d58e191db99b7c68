#include "mount.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "tree.h"

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
        if (strcmp(word, known[i].set) == 0)
            *flags |= known[i].flag;
        else if (strcmp(word, known[i].clear) == 0)
            *flags &= ~known[i].flag;
        else
            continue;
        return true;
    }
    return false;
}

/* TEXT, TARGET or TARGET:WORD,..., for MOUNT. A WORD that names no flag is an option. */
static void parse_target(struct bind *mount, char *text)
{
    const char *word;

    mount->target = strsep(&text, ":");
    if (mount->target[0] != '/')
        fail("invalid target '%s': expected an absolute path in the root", mount->target);
    if (mount->target[strspn(mount->target, "/.")] == '\0')
        fail("invalid target '%s': it is the root itself", mount->target);
    char *options = calloc(1, text != NULL ? strlen(text) + 1 : 1);
    if (options == NULL)
        die("calloc");
    while ((word = strsep(&text, ",")) != NULL)
        if (!take_flag(&mount->flags, word))
            mount->options = strcat(strcat(options, options[0] != '\0' ? "," : ""), word);
}

struct bind bind_parse(const char *text)
{
    struct bind bind = {.flags = MS_NODEV};
    char *rest = strdup(text);

    if (rest == NULL)
        die("strdup");
    bind.source = strsep(&rest, ":");
    if (rest != NULL)
        parse_target(&bind, rest);
    if (rest == NULL || bind.options != NULL || !(bind.flags & MS_NODEV))
        fail("invalid bind '%s': expected SOURCE:TARGET or SOURCE:TARGET:OPTION,... with options "
             "ro, rw, noexec or nosuid",
             text);
    return bind;
}

struct bind tmpfs_parse(const char *text)
{
    struct bind mount = {.flags = MS_NOEXEC | MS_NOSUID | MS_NODEV};
    char *copy = strdup(text);

    if (copy == NULL)
        die("strdup");
    parse_target(&mount, copy);
    return mount;
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
    struct stat status;

    if (fstat(tree, &status) == -1)
        die("bind %s", source);
    int place = root_target(root, target, S_ISDIR(status.st_mode) ? S_IFDIR : S_IFREG);
    const char *there = target_shown(root, target);
    explain("mount --rbind %s %s\tmove_mount(\"%s\")", source, there, target);
    if (tree_attach(tree, place, "") == -1)
        die("bind %s to %s", source, there);
    close(place);
    if (flags != 0)
        mount_set(tree, there, flags);
}

int mount_inside(const struct root *root, const char *target, const char *type, unsigned long flags,
                 const char *options)
{
    struct mount_words words = mount_words("MOUNT_ATTR_", flags, options);

    explain("# a new %s\tfsopen(\"%s\")", type, type);
    explain("# ... as a mount without a place\tfsmount(%s)", words.names);
    int tree = tree_new(type, flags, options);
    if (tree == -1) {
        mount_hint(type, options);
        die("make a new %s for %s", type, target_shown(root, target));
    }
    int place = root_target(root, target, S_IFDIR);
    const char *there = target_shown(root, target);
    explain("mount -t %s%s %s %s\tmove_mount(\"%s\")", type, words.options, type, there, there);
    if (tree_attach(tree, place, "") == -1)
        die("mount %s on %s", type, there);
    close(place);
    return tree;
}

struct root mount_root(const struct root *root, const char *target, const char *type,
                       unsigned long flags, const char *options)
{
    struct root strict = *root, mounted = {.make_missing = true, .no_links = true};

    strict.no_links = true;
    mounted.directory = mount_inside(&strict, target, type, flags, options);
    mounted.path = strdup(target_shown(root, target));
    if (mounted.path == NULL)
        die("strdup");
    return mounted;
}
