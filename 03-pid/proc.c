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
    hint("the host's /proc has to be mounted, and to show this pid namespace");
    return refuse("/proc is not of this pid namespace");
}

void mounts_make_private(void)
{
    explain("mount --make-rprivate /\tmount(NULL, \"/\", NULL, MS_REC|MS_PRIVATE, NULL)");
    /* EXERCISE 3.2: keep the mounts that follow from reaching the host. mount(2), MS_PRIVATE */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
        die("make the mounts private");
    /* END */
}

/* The flags as the C program writes them, and as mount(8) does. */
static void name_flags(unsigned long flags, char *names, char *options)
{
    static const struct {
        unsigned long flag;
        const char *name, *option;
    } known[] = {
        {MS_RDONLY, "MS_RDONLY", "ro"},
        {MS_NOSUID, "MS_NOSUID", "nosuid"},
        {MS_NODEV, "MS_NODEV", "nodev"},
        {MS_NOEXEC, "MS_NOEXEC", "noexec"},
    };

    names[0] = options[0] = '\0';
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!(flags & known[i].flag))
            continue;
        strcat(strcat(names, names[0] ? "|" : ""), known[i].name);
        strcat(strcat(options, options[0] ? "," : ""), known[i].option);
    }
    if (names[0] == '\0')
        strcpy(names, "0");
}

void mount_new(const char *type, const char *target, const char *shown, unsigned long flags,
               const char *options)
{
    char names[64], words[64];
    const char *quote = options != NULL ? "\"" : "";

    name_flags(flags, names, words);
    explain("mount -t %s%s%s%s%s %s %s\tmount(\"%s\", \"%s\", \"%s\", %s, %s%s%s)", type,
            words[0] || options ? " -o " : "", words, words[0] && options ? "," : "",
            options ? options : "", type, shown, type, target, type, names, quote,
            options ? options : "NULL", quote);
    if (mount(type, target, type, flags, options) == 0)
        return;
    if (errno == ENOENT)
        hint("the directory %s has to be there first, and the host's /proc", shown);
    else if (errno == ENODEV)
        hint("this kernel has no file system '%s': try 'sudo modprobe %s'", type, type);
    else if (errno == EINVAL && options != NULL)
        hint("the kernel refuses '%s': a user or group must exist in the box's user namespace",
             options);
    die("mount %s on %s", type, shown);
}

void proc_mount(const char *target, const char *shown)
{
    /* EXERCISE 3.3: the old /proc still shows the host's processes: mount a new one. proc(5) */
    mount_new("proc", target, shown, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    /* END */
}
