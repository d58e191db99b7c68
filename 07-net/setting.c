#include "setting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/cause.h"
#include "../01-chroot/tool.h"

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
    char path[96];

    snprintf(path, sizeof(path), "/proc/sys/%s", name);
    explain("sysctl -w %s=%c\twrite(\"%s\", \"%c\")", name, value, path, value);
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
    char path[96], line[8];

    snprintf(path, sizeof(path), "/proc/sys/%s", name);
    first_line(path, line, sizeof(line));
    return line[0];
}

int setting_note(const char *name, const struct nat_tables *tables, char *note)
{
    char old = read_setting(name);
    size_t used = strlen(note), length = strlen(name);

    for (int i = 0; i < tables->count; i++) {
        const char *noted = find(tables->tables[i].note, name, length);
        if (noted != NULL)
            old = noted[length + 1];
    }
    if (old == '1')
        return 0;
    if (old == '\0') {
        errno = ENOENT;
        return report("read /proc/sys/%s", name);
    }
    snprintf(note + used, NAT_NOTE - used, "%s%s=%c", used ? " " : "", name, old);
    return 0;
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

int setting_apply(const char *note)
{
    char name[80];
    int error = 0;

    while (error == 0 && next_setting(&note, name, sizeof(name)) != '\0')
        if (read_setting(name) != '1')
            error = write_setting(name, '1');
    return error;
}

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
