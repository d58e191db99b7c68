#include "setting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/inside.h"

#define SETTINGS "/proc/sys/net/"

static const char ip_forward[] = "ipv4/ip_forward";

char setting_read(const char *name)
{
    char path[112], line[8];

    snprintf(path, sizeof(path), SETTINGS "%s", name);
    first_line(path, line, sizeof(line));
    return line[0];
}

/* Is /proc/sys mounted read-only there? */
static bool is_read_only(const char *name)
{
    char path[112];

    snprintf(path, sizeof(path), SETTINGS "%s", name);
    return access(path, W_OK) == -1 && errno == EROFS;
}

int setting_write(const char *name, char value)
{
    char path[112];
    int error = 0;

    snprintf(path, sizeof(path), SETTINGS "%s", name);
    explain("sysctl -w net/%s=%c\twrite(\"%s\", \"%c\")", name, value, path, value);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file == -1 && errno == ENOENT)
        return 0;
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

int setting_change(struct claim *claim, const char *name, char value)
{
    char old = setting_read(name);

    if (old == value || old == '\0')
        return 0;
    int error = claim_note(claim, "setting %s %c", name, old);
    return error == 0 ? setting_write(name, value) : error;
}

int setting_disable_ipv6(const char *link)
{
    char name[64];

    snprintf(name, sizeof(name), "ipv6/conf/%s/disable_ipv6", link);
    if (setting_read(name) != '0' || is_read_only(name))
        return 0;
    return setting_write(name, '1');
}

int setting_stop_forwarding(const char *link)
{
    char name[64];

    snprintf(name, sizeof(name), "ipv4/conf/%s/forwarding", link);
    if (setting_read(ip_forward) != '0' || setting_read(name) != '1')
        return 0;
    int error = setting_write(name, '0');
    /* Switched on between the two? Then this link has been switched on, and off again by us. */
    if (error == 0 && setting_read(ip_forward) == '1')
        error = setting_write(name, '1');
    return error;
}
