#include "proc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

int proc_check(void)
{
    char self[16];
    ssize_t length = readlink("/proc/self", self, sizeof(self) - 1);

    self[length > 0 ? length : 0] = '\0';
    if (atoi(self) == getpid())
        return 0;
    hint("mount one that does: mount -t proc proc /proc");
    return refuse("/proc does not show this pid namespace");
}

void mounts_make_private(void)
{
    /* EXERCISE 3.2: keep the mounts that follow from reaching the host. mount(2), MS_PRIVATE */
    explain("mount --make-rprivate /\tmount(NULL, \"/\", NULL, MS_REC|MS_PRIVATE, NULL)");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1) {
        if (errno == EINVAL)
            hint("\"/\" is not a mount point: not possible after chroot(2), see chapter 4");
        die("make the mounts private");
    }
    /* END */
}

struct mount_words mount_words(const char *prefix, unsigned long flags, const char *options)
{
    static const struct {
        unsigned long flag;
        const char *name, *option;
    } known[] = {
        {MS_RDONLY, "RDONLY", "ro"},
        {MS_NOSUID, "NOSUID", "nosuid"},
        {MS_NODEV, "NODEV", "nodev"},
        {MS_NOEXEC, "NOEXEC", "noexec"},
    };
    struct mount_words words = {.names = "", .options = ""};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!(flags & known[i].flag))
            continue;
        strcat(strcat(strcat(words.names, words.names[0] ? "|" : ""), prefix), known[i].name);
        strcat(strcat(words.options, words.options[0] ? "," : " -o "), known[i].option);
    }
    size_t length = strlen(words.options);
    if (options != NULL)
        snprintf(words.options + length, sizeof(words.options) - length, "%s%s",
                 length > 0 ? "," : " -o ", options);
    if (words.names[0] == '\0')
        strcpy(words.names, "0");
    return words;
}

void mount_hint(const char *type, const char *options)
{
    if (errno == ENODEV)
        hint("this kernel has no file system '%s': try 'sudo modprobe %s'", type, type);
    else if (errno == EINVAL && options != NULL)
        hint("one of the options '%s' is unknown to %s, invalid, or names an id the box lacks",
             options, type);
}

void mount_new(const char *type, const char *target, unsigned long flags, const char *options)
{
    struct mount_words words = mount_words("MS_", flags, options);
    const char *quote = options != NULL ? "\"" : "";

    explain("mount -t %s%s %s %s\tmount(\"%s\", \"%s\", \"%s\", %s, %s%s%s)", type, words.options,
            type, target, type, target, type, words.names, quote, options ? options : "NULL",
            quote);
    if (mount(type, target, type, flags, options) == -1) {
        mount_hint(type, options);
        die("mount %s on %s", type, target);
    }
}

void proc_mount(void)
{
    /* EXERCISE 3.3: the old /proc still shows the host's processes: mount a new one. proc(5) */
    mount_new("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    /* END */
}
