#define _GNU_SOURCE
#include "hosts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../07-net/link.h"
#include "../07-net/network.h"

#define GATEWAY "host-gateway"

const char *hosts_check(const char *text)
{
    char *name = strdupa(text), *address = name + strcspn(name, ":=");
    struct in6_addr binary;

    if (*address == '\0')
        fail("invalid host '%s': expected NAME:ADDRESS, such as db:10.0.0.5", text);
    *address++ = '\0';
    network_check_name("host", name, 253);
    if (strcmp(address, GATEWAY) != 0 && inet_pton(AF_INET, address, &binary) != 1 &&
        inet_pton(AF_INET6, address, &binary) != 1)
        fail("invalid host '%s': expected an IPv4 or IPv6 address or " GATEWAY " after the name",
             text);
    return text;
}

/* The text of /etc/hosts: localhost, then lines for ADDED, then the box's own NAME at ADDRESS. */
static char *compose(char *const *added, const char *name, uint32_t address, uint32_t gateway)
{
    char own[LINK_ADDRESS_TEXT], outside[LINK_ADDRESS_TEXT], *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    if (file == NULL)
        die("open_memstream");
    link_address_text(address, own);
    link_address_text(gateway, outside);
    fprintf(file, "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
    for (; added != NULL && *added != NULL; added++) {
        int length = (int)strcspn(*added, ":=");
        const char *other = *added + length + 1;
        fprintf(file, "%s %.*s\n", strcmp(other, GATEWAY) == 0 ? outside : other, length, *added);
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
    int there = root_find(root, path);

    if (there == -1 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
        die("look for %s", target_shown(root, path));
    if (there == -1 && errno == ENOENT && faccessat(root->directory, ".", W_OK, 0) == 0)
        there = open_inside(root->directory, path, O_PATH | O_NOFOLLOW, 0);
    if (there != -1)
        close(there);
    return there != -1;
}

/* Let the file NAME of ROOT's /etc be TEXT, in a file of the box's own in its /dev, DEV. */
static void cover(const struct root *root, const struct root *dev, const char *name,
                  const char *text, bool make)
{
    char path[64];

    snprintf(path, sizeof(path), "/etc/%s", name);
    if (make || exists(root, path))
        resolv_cover(root, path, text, dev);
}

void hosts_bind(const struct root *root, const struct root *dev, const struct spec *spec)
{
    const struct lease here = {.address = INADDR_LOOPBACK, .gateway = INADDR_LOOPBACK};
    const struct lease *lease = spec->linked ? spec->net.lease : &here;
    bool image = spec->layers.directory == NULL;
    char *hosts = compose(spec->hosts, spec->hostname, lease->address, lease->gateway);

    if (spec->resolv != NULL && spec->resolv[0] != '\0')
        cover(root, dev, "resolv.conf", spec->resolv, image || spec->net.dns_count > 0);
    cover(root, dev, "hosts", hosts, image || spec->hosts != NULL);
    free(hosts);
}
