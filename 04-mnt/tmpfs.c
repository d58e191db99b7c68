#include "tmpfs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "../01-chroot/tool.h"

/* Put the flag that WORD names into FLAGS, or take it out. False if it names none. */
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

/* Is WORD an option that has a value, and such a one? */
static bool is_setting(const char *word)
{
    static const struct {
        const char *name, *digits, *units;
    } known[] = {
        {"size=", "0123456789", "kmgKMG%"},
        {"mode=", "01234567", ""},
        {"uid=", "0123456789", ""},
        {"gid=", "0123456789", ""},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t length = strlen(known[i].name);
        if (strncmp(word, known[i].name, length) != 0)
            continue;
        size_t digits = strspn(word + length, known[i].digits);
        const char *unit = word + length + digits;
        return digits > 0 && strspn(unit, known[i].units) == strlen(unit) && strlen(unit) <= 1;
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
    while ((word = strsep(&rest, ",")) != NULL) {
        if (take_flag(&mount.flags, word))
            continue;
        if (!is_setting(word))
            fail("invalid tmpfs option '%s': expected size=BYTES, mode=OCTAL, uid=NUMBER, "
                 "gid=NUMBER, ro, rw, [no]exec, [no]suid or [no]dev",
                 word);
        mount.options = strcat(strcat(settings, settings[0] != '\0' ? "," : ""), word);
    }
    return mount;
}
