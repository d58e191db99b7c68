#include "hosts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../01-chroot/tool.h"
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

char *hosts_compose(const char *const *added, int count, const char *name, uint32_t address,
                    uint32_t gateway)
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
    for (int i = 0; i < count; i++) {
        address_of(added[i], other);
        fprintf(file, "%s %.*s\n", strcmp(other, GATEWAY) == 0 ? outside : other,
                (int)strcspn(added[i], ":="), added[i]);
    }
    fprintf(file, "%s %s\n", own, name);
    if (fclose(file) != 0)
        die("write the box's /etc/hosts");
    return text;
}
