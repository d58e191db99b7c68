#define _GNU_SOURCE
#include "mount.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mount.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "tree.h"

void targets_check(const struct bind *mounts, int count)
{
    for (int i = 0; i < count; i++)
        for (int other = 0; other < i; other++)
            if (strcmp(mounts[i].target, mounts[other].target) == 0)
                fail("two mounts at %s: the second would hide the first", mounts[i].target);
}

struct bind bind_parse(const char *text)
{
    struct bind bind = {.flags = MS_NODEV};
    char *rest = strdup(text);

    if (rest == NULL)
        die("strdup");
    bind.source = strsep(&rest, ":");
    bind.target = strsep(&rest, ":");
    if (bind.target == NULL || bind.source[0] == '\0' || bind.target[0] == '\0')
        fail("invalid bind '%s': expected SOURCE:TARGET or SOURCE:TARGET:ro", text);
    for (char *word; (word = strsep(&rest, ",")) != NULL;) {
        bind.flags |= strcmp(word, "ro") == 0 ? MS_RDONLY : 0;
        /* z and Z ask docker for SELinux labels, which we don't set. */
        if (strcmp(word, "ro") != 0 && strcmp(word, "rw") != 0 && strcasecmp(word, "z") != 0)
            fail("bind '%s': invalid option '%s': expected ro, rw, z or Z", text, word);
    }
    bind.target = target_parse(bind.target);
    return bind;
}

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

struct bind tmpfs_parse(const char *text)
{
    struct bind mount = {.flags = MS_NOEXEC | MS_NOSUID | MS_NODEV};
    char *rest = strdup(text), *settings = calloc(1, strlen(text) + 1);
    const char *word;

    if (rest == NULL || settings == NULL)
        die("tmpfs '%s'", text);
    mount.target = target_parse(strsep(&rest, ":"));
    while ((word = strsep(&rest, ",")) != NULL)
        if (!take_flag(&mount.flags, word))
            mount.options = strcat(strcat(settings, settings[0] != '\0' ? "," : ""), word);
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
    struct mount_words words = mount_words("MOUNT_ATTR_", flags);
    struct stat status;

    if (fstat(tree, &status) == -1)
        die("bind %s", source);
    int place = root_target(root, target, S_ISDIR(status.st_mode) ? S_IFDIR : S_IFREG);
    const char *there = target_shown(root, target);
    if (flags != 0) {
        explain("# %s, with all mounts below\tmount_setattr(%s, AT_RECURSIVE)", words.options,
                words.names);
        if (tree_set(tree, flags, 0, true) == -1)
            die("make %s %s", there, words.options);
        /* mount(8)'s -o ro would apply to the topmost mount alone */
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

int mount_inside(const struct root *root, const char *target, const char *type, unsigned long flags,
                 const char *options)
{
    struct mount_words words = mount_words("MOUNT_ATTR_", flags);

    explain("# a new %s\tfsopen(\"%s\")", type, type);
    explain("# ... as a mount without a place\tfsmount(%s)", words.names);
    int tree = tree_new(type, flags, options);
    if (tree == -1) {
        mount_hint(type, options);
        die("make a new %s for %s", type, target_shown(root, target));
    }
    int place = root_target(root, target, S_IFDIR);
    const char *there = target_shown(root, target);
    explain("mount -t %s%s%s%s%s %s %s\tmove_mount(\"%s\")", type, flags || options ? " -o " : "",
            words.options, flags && options ? "," : "", options ? options : "", type, there, there);
    if (tree_attach(tree, place) == -1)
        die("mount %s on %s", type, there);
    close(place);
    return tree;
}

/* ROOT for the mounts that the tool itself needs. */
static struct root without_links(const struct root *root)
{
    struct root strict = *root;

    strict.no_links = true;
    return strict;
}

/* The mount TREE at TARGET in ROOT as a root itself. Its name is needed until the end. */
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
