#include "setting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../06-user/idmap.h"

static const char ip_forward[] = "ipv4/ip_forward";

static const char *path_of(const char *name)
{
    static char path[96];

    snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
    return path;
}

char setting_read(const char *name)
{
    char line[8];

    first_line(path_of(name), line, sizeof(line));
    return line[0];
}

static int set(const char *name, char value)
{
    const char *path = path_of(name);
    int error = 0, file = open(path, O_WRONLY | O_CLOEXEC);

    if (file == -1 && errno == ENOENT)
        return 0;
    explain("sysctl -w net/%s=%c\twrite(\"%s\", \"%c\")", name, value, path, value);
    if (file == -1 || write(file, &value, 1) != 1) {
        if (errno == EROFS)
            hint("/proc/sys is read-only, as in a container: start that one with --privileged, or "
                 "use --no-nat");
        error = report("write %s", path);
    }
    if (file != -1)
        close(file);
    return error;
}

int setting_change(struct claim *claim, const char *family, const char *link, const char *setting,
                   char value)
{
    char name[64], old;

    snprintf(name, sizeof(name), "%s/conf/%s/%s", family, link, setting);
    if ((old = setting_read(name)) == value || old == '\0')
        return 0;
    if (claim == NULL)
        return access(path_of(name), W_OK) == -1 && errno == EROFS ? 0 : set(name, value);
    int error = claim_note(claim, "setting %s %c", name, old);
    return error == 0 ? set(name, value) : error;
}

/* If ip_forward is on by now, somebody else needs it (docker, say), and then all links forward. */
int setting_restore(const char *name, char old)
{
    const bool forwarding = strstr(name, "/forwarding") != NULL;

    if (setting_read(name) == old || (forwarding && setting_read(ip_forward) == '1'))
        return 0;
    int error = set(name, old);
    /* Switched on between the two? Then this link has been switched on, and off again by us. */
    if (error == 0 && forwarding && setting_read(ip_forward) == '1')
        error = set(name, '1');
    return error;
}

bool setting_forwards(const char *link)
{
    char name[64];

    snprintf(name, sizeof(name), "ipv4/conf/%s/forwarding", link);
    return setting_read(ip_forward) != '0' || setting_read(name) != '0';
}
