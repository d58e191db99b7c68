/* What the user asks of the network, as text. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../06-user/number.h"
#include "link.h"
#include "network.h"

void network_start(struct network *network)
{
    memset(network, 0, sizeof(*network));
    network->name_space = -1;
    network->claim.file = network->rules_claim.file = -1;
    network->table_claim.file = network->bridge_claim.file = -1;
    network->bridge = "br0";
    network->nat = true;
    network->has_ipv6 =
        access("/proc/sys/net/ipv6", F_OK) == 0; /* the box's /proc may be covered */
    network->lease = mmap(NULL, sizeof(*network->lease), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (network->lease == MAP_FAILED)
        die("mmap");
}

void network_read_address(const char *text, const char *what, uint32_t *address)
{
    struct in_addr in;

    if (inet_pton(AF_INET, text, &in) != 1)
        fail("%s: '%s' is not an IPv4 address like 172.27.0.2", what, text);
    *address = ntohl(in.s_addr);
    bool unicast = *address >> 24 != 0 && *address >> 28 < 14;
    if (!unicast)
        fail("%s: %s can't be the address of one host", what, text);
}

void network_read_network(const char *text, const char *what, uint32_t *address, int *prefix)
{
    char part[LINK_ADDRESS_TEXT + 1];
    size_t length = strcspn(text, "/");

    *prefix = 0;
    snprintf(part, sizeof(part), "%.*s", (int)length, text);
    if (length >= sizeof(part))
        fail("%s: '%s' is not an IPv4 address like 172.27.0.1/16", what, text);
    network_read_address(part, what, address);
    if (text[length] == '/') {
        char name[64];
        snprintf(name, sizeof(name), "%s: length of the network's prefix", what);
        *prefix = (int)tool_number(text + length + 1, name, 1, 30);
        uint32_t host_part = *address & ~link_mask(*prefix);
        if (host_part == 0 || host_part == ~link_mask(*prefix))
            fail("%s: %s is the %s of its network, not an address in it", what, text,
                 host_part == 0 ? "name" : "broadcast address");
    }
}

void network_read_bridge(struct network *network, const char *text)
{
    if (text[0] == '\0' || strcmp(text, ".") == 0 || strstr(text, "..") != NULL ||
        strpbrk(text, "/:%= \t\n\"'") != NULL)
        fail("bridge: '%s' can't be the name of a link", text);
    if (strlen(text) >= IF_NAMESIZE)
        fail("bridge: '%s' has %zu bytes; the name of a link has at most %d", text, strlen(text),
             IF_NAMESIZE - 1);
    network->bridge = text;
}

/* FIRST[-LAST]; returns LAST. Port 0 stands for any free one, and nobody asks for it by number. */
static int read_range(char *text, const char *what, uint16_t *first)
{
    char *last = strchr(text, '-');

    if (last != NULL)
        *last++ = '\0';
    *first = (uint16_t)tool_number(text, what, 1, 65535);
    return last != NULL ? (int)tool_number(last, what, *first, 65535) : *first;
}

static void add_port(struct network *network, const struct publish *port)
{
    if (network->port_count == NAT_PORTS)
        fail("publish: more than %d ports", NAT_PORTS);
    for (int i = 0; i < network->port_count && port->port != 0; i++) {
        const struct publish *other = &network->ports[i];
        if (other->port == port->port && other->protocol == port->protocol &&
            other->address == port->address)
            fail("publish: port %d is asked for twice", port->port);
    }
    network->ports[network->port_count++] = *port;
}

/* The protocol behind the slash, which is cut off. */
static int read_protocol(char *copy, const char *text)
{
    char *protocol = strchr(copy, '/');

    if (protocol != NULL)
        *protocol++ = '\0';
    if (protocol != NULL && strcmp(protocol, "udp") == 0)
        return IPPROTO_UDP;
    if (protocol != NULL && strcmp(protocol, "tcp") != 0)
        fail("publish: '%s': the protocol is tcp or udp", text);
    return IPPROTO_TCP;
}

void network_read_publish(struct network *network, const char *text)
{
    struct publish port = {.socket = -1};
    char copy[64], *rest = copy, *parts[3];
    int count = 0, last = 0;

    snprintf(copy, sizeof(copy), "%s", text);
    port.protocol = read_protocol(copy, text);
    while (rest != NULL && count < 3)
        parts[count++] = strsep(&rest, ":");
    if (rest != NULL || strlen(text) >= sizeof(copy))
        fail("publish: '%s' is not [[ADDRESS:][PORT]:]BOXPORT[/tcp|/udp]", text);
    if (count == 3 && strcmp(parts[0], "0.0.0.0") != 0) /* that means all, as does none */
        network_read_address(parts[0], "publish", &port.address);
    int last_box = read_range(parts[count - 1], "publish: port of the box", &port.box_port);
    if (count > 1 && parts[count - 2][0] != '\0')
        last = read_range(parts[count - 2], "publish: port of the host", &port.port);
    if (port.port != 0 && last - port.port != last_box - port.box_port)
        fail("publish: '%s': %d ports of the host, and %d of the box", text, last - port.port + 1,
             last_box - port.box_port + 1);
    port.chosen = port.port == 0;
    for (int left = last_box - port.box_port; left >= 0; left--) {
        add_port(network, &port);
        port.port = (uint16_t)(port.port + !port.chosen);
        port.box_port++;
    }
}

void network_write_publish(const struct publish *port, char text[PUBLISH_TEXT])
{
    char address[LINK_ADDRESS_TEXT + 1] = "";

    if (port->address != 0)
        strcat(link_address_text(port->address, address), ":");
    snprintf(text, PUBLISH_TEXT, "%s%d:%d%s", address, port->port, port->box_port,
             port->protocol == IPPROTO_UDP ? "/udp" : "");
}

void network_read_dns(struct network *network, const char *text)
{
    if (network->dns_count == NETWORK_DNS)
        fail("dns: more than %d nameservers, which is all that a resolver asks", NETWORK_DNS);
    network_read_address(text, "dns", &network->dns[network->dns_count++]);
}
