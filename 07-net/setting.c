#include "setting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/inside.h"

enum { NAME = 64, PATH = 96 };

static const char ip_forward[] = "ipv4/ip_forward";

char setting_read(const char *name)
{
    char path[PATH], line[8];

    snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
    first_line(path, line, sizeof(line));
    return line[0];
}

int setting_write(const char *name, char value)
{
    char path[PATH];
    int error = 0;

    snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
    int file = open(path, O_WRONLY | O_CLOEXEC);
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
    char name[NAME];

    snprintf(name, sizeof(name), "ipv6/conf/%s/disable_ipv6", link);
    return access("/proc/sys/net/ipv4/ip_forward", W_OK) == -1 && errno == EROFS
               ? 0
               : setting_write(name, '1');
}

static const char *forwarding(const char *link)
{
    static char name[NAME];

    snprintf(name, sizeof(name), "ipv4/conf/%s/forwarding", link);
    return name;
}

bool setting_forwards(const char *link)
{
    return setting_read(ip_forward) != '0' || setting_read(forwarding(link)) != '0';
}

int setting_forward(struct claim *claim, const char *link)
{
    if (setting_forwards(link))
        return 0;
    int error = claim_note(claim, "forwarding %s", link);
    return error == 0 ? setting_write(forwarding(link), '1') : error;
}

int setting_stop_forwarding(const char *link)
{
    if (setting_read(ip_forward) != '0' || setting_read(forwarding(link)) != '1')
        return 0;
    int error = setting_write(forwarding(link), '0');
    /* Switched on between the two? Then this link has been switched on, and off again by us. */
    if (error == 0 && setting_read(ip_forward) == '1')
        error = setting_write(forwarding(link), '1');
    return error;
}
