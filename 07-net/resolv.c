#include "resolv.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "link.h"

#define RESOLV_CONF "/etc/resolv.conf"

/* The lines of PATH but those on nameservers that answer only on the machine they run on. Returns
 * whether there are such. */
static bool read_text(const char *path, char *text)
{
    FILE *file = fopen(path, "re");
    char line[256], address[64];
    size_t used = 0;
    bool local = false;

    text[0] = '\0';
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "nameserver %63s", address) == 1 &&
            (strncmp(address, "127.", strlen("127.")) == 0 || strcmp(address, "::1") == 0))
            local = true;
        else if (used + strlen(line) < RESOLV_TEXT)
            used += (size_t)sprintf(text + used, "%s", line);
    }
    if (file != NULL)
        fclose(file);
    return local;
}

bool resolv_compose(const uint32_t *dns, int count, char *text)
{
    /* systemd-resolved keeps the nameservers that it asks itself here. */
    static const char resolved[] = "/run/systemd/resolve/resolv.conf";
    char address[LINK_ADDRESS_TEXT];
    bool local = false;

    if (count == 0 && (local = read_text(RESOLV_CONF, text)) && access(resolved, R_OK) == 0)
        (void)read_text(resolved, text);
    for (int i = 0; i < count; i++)
        text += sprintf(text, "nameserver %s\n", link_address_text(dns[i], address));
    return count > 0 || local;
}

void resolv_cover(const struct root *root, const char *path, const char *text,
                  const struct root *memory, const char *name)
{
    size_t length = strlen(text);
    char shown[64], link[32];

    snprintf(shown, sizeof(shown), "%s/%s", memory->path, name);
    explain("cat >%s <<END\twrite(\"%s\")", shown, name);
    int file = openat(memory->directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file == -1 || fchmod(file, 0644) == -1 || /* whatever umask the caller has */
        write(file, text, length) != (ssize_t)length)
        die("write %s", shown);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
    mount_bind(root, link, path, 0);
    if (unlinkat(memory->directory, name, 0) == -1)
        die("unlink %s", shown);
    close(file);
}

void resolv_bind(const char *text)
{
    struct root root = root_at("");
    struct root memory =
        mount_inside(&root, "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755");

    resolv_cover(&root, RESOLV_CONF, text, &memory, "resolv.conf");
    explain("umount --lazy /tmp\tumount2(\"/tmp\", MNT_DETACH)");
    if (umount2("/tmp", MNT_DETACH) == -1)
        die("umount /tmp");
}

void sys_mount(void)
{
    static const char groups[] = "/sys/fs/cgroup";
    struct root root = root_at("");
    int tree = access(groups, F_OK) == 0 ? mount_take(groups) : -1;

    mount_new("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    if (tree != -1) {
        mount_tree(&root, tree, groups, groups, 0);
        close(tree);
    }
}
