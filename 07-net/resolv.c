#include "resolv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "../04-mnt/inside.h"
#include "link.h"

#define RESOLV_CONF "/etc/resolv.conf"

static void read_text(const char *path, char *text)
{
    int file = open_file(path);
    ssize_t length = file == -1 ? 0 : read(file, text, RESOLV_TEXT - 1);

    if (file != -1)
        close(file);
    text[length > 0 ? length : 0] = '\0';
}

/* A nameserver that answers only on the machine it runs on. */
static bool is_local(const char *line)
{
    char address[64];

    return sscanf(line, "nameserver %63s", address) == 1 &&
           (strncmp(address, "127.", strlen("127.")) == 0 || strcmp(address, "::1") == 0);
}

/* Leave out what the box can't ask, and comments. Returns whether it could not ask one. */
static bool without_local(char *text)
{
    char *kept = text;
    bool any = false;

    for (char *line = text, *next; *line != '\0'; line = next) {
        next = line + strcspn(line, "\n");
        next += *next == '\n';
        any = any || is_local(line);
        if (is_local(line) || strchr("#;\n", *line) != NULL)
            continue;
        memmove(kept, line, (size_t)(next - line));
        kept += next - line;
    }
    *kept = '\0';
    return any;
}

bool resolv_compose(const uint32_t *dns, int count, char *text)
{
    char address[LINK_ADDRESS_TEXT];
    size_t used = 0;

    for (int i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, RESOLV_TEXT - used, "nameserver %s\n",
                                 link_address_text(dns[i], address));
    if (count > 0)
        return true;
    read_text(RESOLV_CONF, text);
    if (!without_local(text))
        return false;
    /* systemd-resolved keeps the nameservers that it asks itself here. */
    read_text("/run/systemd/resolve/resolv.conf", text);
    if (text[0] == '\0')
        read_text(RESOLV_CONF, text);
    without_local(text);
    return true;
}

/* As printf(1) takes it. */
static void explain_text(const char *text)
{
    char shown[2 * RESOLV_TEXT];
    size_t used = 0;

    for (; *text != '\0'; text++) {
        char letter = *text == '\n' ? 'n' : 't';
        bool quoted = *text == '\n' || *text == '\t';
        if (quoted)
            shown[used++] = '\\';
        shown[used++] = quoted ? letter : *text;
    }
    shown[used] = '\0';
    explain("printf '%s' >/tmp/resolv.conf\twrite(\"/tmp/resolv.conf\")", shown);
}

void resolv_bind(const char *text)
{
    int file;

    /* A file that only the box has: on a tmpfs that is mounted, used and taken out of sight. */
    mount_new("tmpfs", "/tmp", "/tmp", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755");
    explain_text(text);
    file = open("/tmp/resolv.conf", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file == -1 || fchmod(file, 0644) == -1 || /* whatever umask the caller has */
        write(file, text, strlen(text)) != (ssize_t)strlen(text))
        die("write /tmp/resolv.conf");
    close(file);
    explain("mount --bind /tmp/resolv.conf " RESOLV_CONF
            "\tmount(\"/tmp/resolv.conf\", \"" RESOLV_CONF "\", NULL, MS_BIND, NULL)");
    if (mount("/tmp/resolv.conf", RESOLV_CONF, NULL, MS_BIND, NULL) == -1) {
        if (errno == ENOENT)
            hint("there has to be a file " RESOLV_CONF " to bind over: 'touch " RESOLV_CONF "'");
        die("mount on " RESOLV_CONF);
    }
    explain("umount --lazy /tmp\tumount2(\"/tmp\", MNT_DETACH)");
    if (umount2("/tmp", MNT_DETACH) == -1)
        die("umount /tmp");
}
