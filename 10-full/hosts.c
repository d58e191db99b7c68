#include "hosts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/inside.h"
#include "../04-mnt/tree.h"
#include "../07-net/link.h"

#define GATEWAY "host-gateway"

/* More than any address has: what is cut off here is none. */
enum { ADDRESS_TEXT = 64 };

/* The address in NAME:ADDRESS, without the brackets that an IPv6 address may have. */
static void address_of(const char *text, char address[ADDRESS_TEXT])
{
    const char *from = text + strcspn(text, ":=");
    size_t length = strlen(from += *from != '\0');

    if (from[0] == '[' && from[length - 1] == ']') {
        from++;
        length -= 2;
    }
    snprintf(address, ADDRESS_TEXT, "%.*s", (int)length, from);
}

void hosts_check(const char *text)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    char address[ADDRESS_TEXT];
    struct in6_addr binary;
    size_t name = strspn(text, letters);

    address_of(text, address);
    if (name == 0 || (text[name] != ':' && text[name] != '='))
        fail("invalid host '%s': expected NAME:ADDRESS, such as db:10.0.0.5", text);
    if (strcmp(address, GATEWAY) != 0 && inet_pton(AF_INET, address, &binary) != 1 &&
        inet_pton(AF_INET6, address, &binary) != 1)
        fail("invalid host '%s': expected an IPv4 or IPv6 address or " GATEWAY " after the name",
             text);
}

char *hosts_compose(char *const *added, const char *name, uint32_t address, uint32_t gateway)
{
    char own[LINK_ADDRESS_TEXT], outside[LINK_ADDRESS_TEXT], other[ADDRESS_TEXT];
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    if (file == NULL)
        die("open_memstream");
    link_address_text(address, own);
    link_address_text(gateway, outside);
    fprintf(file, "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
    for (int i = 0; added != NULL && added[i] != NULL; i++) {
        address_of(added[i], other);
        fprintf(file, "%s %.*s\n", strcmp(other, GATEWAY) == 0 ? outside : other,
                (int)strcspn(added[i], ":="), added[i]);
    }
    fprintf(file, "%s %s\n", own, name);
    if (fclose(file) != 0)
        die("write the box's /etc/hosts");
    return text;
}

/*
 * Does PATH exist in ROOT? A link whose target is missing counts, as systemd's stub-resolv.conf is
 * while no systemd runs, if ROOT can be written to: there the target can be made.
 */
static bool exists(const struct root *root, const char *path)
{
    struct statvfs system;
    int there = root_look(root, path);

    if (there == -1 && errno == ENOENT && fstatvfs(root->directory, &system) == 0 &&
        !(system.f_flag & ST_RDONLY))
        there = open_inside(root->directory, path, O_PATH | O_NOFOLLOW, 0);
    if (there == -1)
        return false;
    close(there);
    return true;
}

void hosts_bind(const struct root *root, const struct root *dev, const char *name, const char *text,
                bool make)
{
    size_t length = strlen(text);
    char path[64], made[64], link[32];

    snprintf(path, sizeof(path), "/etc/%s", name);
    snprintf(made, sizeof(made), "/dev/%s", name);
    if (!make && !exists(root, path))
        return;

    /* A file on the tmpfs of /dev, whose name goes when it is in its place. */
    int file = openat(dev->directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    explain("echo '%.*s ...' >%s/%s\twrite(\"%s\")", (int)strcspn(text, "\n"), text, dev->path,
            name, name);
    if (file == -1 || fchmod(file, 0644) == -1 || write(file, text, length) != (ssize_t)length)
        die("write %s/%s", dev->path, name);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
    explain("# take what is at %s/%s\topen_tree(\"%s\", OPEN_TREE_CLONE)", dev->path, name, name);
    int tree = tree_copy(link);
    if (tree == -1)
        die("take %s/%s", dev->path, name);
    mount_tree(root, tree, made, path, 0);
    if (unlinkat(dev->directory, name, 0) == -1)
        die("unlink %s/%s", dev->path, name);
    close(tree);
    close(file);
}
