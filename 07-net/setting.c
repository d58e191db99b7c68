#include "setting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/inside.h"

#define SETTINGS "/proc/sys/net/ipv4/"

static const char forward[] = "ip_forward", redirects[] = "conf/all/accept_redirects";

/* Where NAME=VALUE stands in NOTE, or NULL. NAME need not end with a zero. */
static const char *find(const char *note, const char *name, size_t length)
{
    for (const char *at = note; at != NULL && *at != '\0'; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, name, length) == 0 && at[length] == '=')
            return at;
    }
    return NULL;
}

static int write_setting(const char *name, char value)
{
    char path[112];

    snprintf(path, sizeof(path), SETTINGS "%s", name);
    explain("sysctl -w net/ipv4/%s=%c\twrite(\"%s\", \"%c\")", name, value, path, value);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file == -1 && errno == ENOENT)
        return 0; /* it was a setting of a bridge that is gone, and went with it */
    if (file == -1 || write(file, &value, 1) != 1) {
        if (errno == EROFS)
            hint("/proc/sys is read-only, as in a container: start that one with --privileged, or "
                 "use --no-nat");
        int error = report("write %s", path);
        if (file != -1)
            close(file);
        return error;
    }
    close(file);
    return 0;
}

static char read_setting(const char *name)
{
    char path[112], line[8];

    snprintf(path, sizeof(path), SETTINGS "%s", name);
    first_line(path, line, sizeof(line));
    return line[0];
}

/* The setting that AT begins with, as a name of its own; AT goes on to the next. '\0' at the end.
 */
static char next_setting(const char **at, char *name, size_t size)
{
    *at += strspn(*at, " ");
    size_t length = strcspn(*at, "=");
    if ((*at)[length] == '\0' || length >= size || strstr(*at, "..") != NULL)
        return '\0';
    snprintf(name, size, "%.*s", (int)length, *at);
    char value = (*at)[length + 1];
    *at += length + 1;
    *at += strcspn(*at, " ");
    return value;
}

static int put(char *note, const char *name, char old)
{
    size_t used = strlen(note);
    int length = snprintf(note + used, NAT_NOTE - used, "%s%s=%c", used ? " " : "", name, old);

    if ((size_t)length < NAT_NOTE - used)
        return 0;
    hint("'sysctl -w net/ipv4/ip_forward=1' first, or use --no-nat");
    return refuse("too many links here have forwarding of their own to be noted");
}

int setting_note(const char *name, const struct nat_tables *tables, char *note)
{
    char old = read_setting(name);

    for (int i = 0; i < tables->count; i++) {
        const char *noted = find(tables->tables[i].note, name, strlen(name));
        if (noted != NULL)
            old = noted[strlen(name) + 1];
    }
    if (old == '1')
        return 0;
    if (old == '\0') {
        errno = ENOENT;
        return report("read " SETTINGS "%s", name);
    }
    return put(note, name, old);
}

/* Is it one that the kernel changes by itself when ip_forward changes? */
static bool goes_along(const char *name)
{
    const char *last = strrchr(name, '/');
    return strcmp(name, redirects) == 0 || (last != NULL && strcmp(last, "/forwarding") == 0);
}

/* What goes along with ip_forward, and would not be put back by it. */
static int note_what_goes_along(const struct links *links, char *note)
{
    int error = read_setting(redirects) == '0' ? put(note, redirects, '0') : 0;
    char name[64];

    for (int i = -1; i < links->link_count && error == 0; i++) {
        const char *link = i == -1 ? "default" : links->links[i].name;
        bool plain = strchr(link, '=') == NULL && strstr(link, "..") == NULL;
        snprintf(name, sizeof(name), "conf/%s/forwarding", link);
        if (plain && read_setting(name) == '1')
            error = put(note, name, '1');
    }
    return error;
}

int setting_note_forwarding(const struct links *links, const struct nat_tables *tables, char *note)
{
    int error = setting_note(forward, tables, note);
    const char *noted = NULL;
    char name[80], old;

    if (error != 0 || note[0] == '\0')
        return error;
    for (int i = 0; i < tables->count && noted == NULL; i++)
        if (find(tables->tables[i].note, forward, strlen(forward)) != NULL)
            noted = tables->tables[i].note;
    if (noted == NULL)
        return note_what_goes_along(links, note);
    while (error == 0 && (old = next_setting(&noted, name, sizeof(name))) != '\0')
        if (goes_along(name))
            error = put(note, name, old);
    return error;
}

int setting_apply(const char *note)
{
    char name[80];
    int error = 0;

    while (error == 0 && next_setting(&note, name, sizeof(name)) != '\0')
        if (!goes_along(name) && read_setting(name) != '1')
            error = write_setting(name, '1');
    return error;
}

/* In the order of the note: what goes along is put back after ip_forward has changed it. */
int setting_restore(const char *note, const struct nat_tables *tables, const char *self)
{
    char name[80], old;
    int error = 0;

    while ((old = next_setting(&note, name, sizeof(name))) != '\0') {
        bool needed = false;
        for (int i = 0; i < tables->count; i++)
            needed |= strcmp(tables->tables[i].name, self) != 0 &&
                      find(tables->tables[i].note, name, strlen(name)) != NULL;
        /* What is as it was is not written: if /proc/sys is read-only, it could not be changed. */
        if (!needed && read_setting(name) != old) {
            int failed = write_setting(name, old);
            error = error ? error : failed;
        }
    }
    return error;
}
