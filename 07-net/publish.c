#define _GNU_SOURCE
/* The ports of this host that a box publishes. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../01-chroot/tool.h"
#include "link.h"
#include "nat.h"
#include "network.h"

/* FIRST[-LAST]; returns LAST. Port 0 stands for any free one, and nobody asks for it by number. */
static int read_range(char *text, const char *what, uint16_t *first)
{
    char *last = text;

    *first = (uint16_t)tool_number(strsep(&last, "-"), what, 1, 65535);
    return last != NULL ? (int)tool_number(last, what, *first, 65535) : *first;
}

void network_read_publish(struct network *network, const char *text)
{
    char *word = strdupa(text), *rest = strsep(&word, "/"), *parts[3];
    const bool udp = word != NULL && strcmp(word, "udp") == 0;
    struct publish port = {.socket = -1, .protocol = udp ? "udp" : "tcp"};
    int count = 0, last = 0;

    if (word != NULL && strcmp(word, port.protocol) != 0)
        fail("publish: '%s': the protocol is tcp or udp", text);
    while (rest != NULL && count < 3)
        parts[count++] = strsep(&rest, ":");
    if (rest != NULL)
        fail("publish: '%s' is not [[ADDRESS:][PORT]:]BOXPORT[/tcp|/udp]", text);
    if (count == 3) /* 0.0.0.0 means all, as does none */
        network_read_address(parts[0], "publish", &port.address);
    int last_box = read_range(parts[count - 1], "port of the box", &port.box_port);
    if (count > 1 && parts[count - 2][0] != '\0')
        last = read_range(parts[count - 2], "port of the host", &port.port);
    port.chosen = port.port == 0;
    if (!port.chosen && last - port.port != last_box - port.box_port)
        fail("publish: '%s': %d ports of the host, and %d of the box", text, last - port.port + 1,
             last_box - port.box_port + 1);
    for (int left = last_box - port.box_port; left >= 0; left--) {
        if (network->port_count == NAT_PORTS)
            fail("publish: more than %d ports", NAT_PORTS);
        network->ports[network->port_count++] = port;
        port.port = (uint16_t)(port.port + !port.chosen);
        port.box_port++;
    }
}

/* A bound socket keeps a second box and any server off the port, until the tool ends. SO_REUSEADDR:
 * connections in TIME_WAIT don't count. Nor does a second box, until one listens. socket(7) */
static int hold_port(struct publish *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port->port),
                                  .sin_addr.s_addr = htonl(port->address)};
    socklen_t size = sizeof(address);
    const bool udp = strcmp(port->protocol, "udp") == 0;
    const int reuse = !udp && port->port != 0;

    port->socket = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    if (port->socket == -1 ||
        setsockopt(port->socket, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse)) == -1 ||
        bind(port->socket, (struct sockaddr *)&address, size) == -1 ||
        (!udp && listen(port->socket, 0) == -1) ||
        getsockname(port->socket, (struct sockaddr *)&address, &size) == -1) {
        if (errno == EADDRINUSE)
            hint("another box or a server on this host has port %d: 'ss -lntup' lists servers",
                 port->port);
        return report("publish %s:%d/%s", link_address_text(port->address), port->port,
                      port->protocol);
    }
    port->port = ntohs(address.sin_port);
    return 0;
}

/* The same port at all addresses of this host is published too, and its socket holds this one. */
static bool is_covered(const struct network *network, const struct publish *port)
{
    for (const struct publish *other = network->ports; other < network->ports + network->port_count;
         other++)
        if (port->address != 0 && port->port != 0 && other->address == 0 &&
            other->port == port->port && strcmp(other->protocol, port->protocol) == 0)
            return true;
    return false;
}

int network_publish(struct network *network)
{
    struct claim *claim = &network->claims[OWN];
    char key[64], data[64];
    int error = 0;

    for (int i = 0; error == 0 && i < network->port_count; i++) {
        struct publish *port = &network->ports[i];
        const char *address = link_address_text(port->address);
        const bool udp = strcmp(port->protocol, "udp") == 0;
        if (!is_covered(network, port) && (error = hold_port(port)) != 0)
            break;
        snprintf(port->text, sizeof(port->text), "%s%s%d:%d%s", port->address ? address : "",
                 port->address ? ":" : "", port->port, port->box_port, udp ? "/udp" : "");
        snprintf(key, sizeof(key), "%s . %s . %d", address, port->protocol, port->port);
        snprintf(data, sizeof(data), "%s . %d", link_address_text(network->lease->address),
                 port->box_port);
        if ((error = claim_note(claim, "element ports %s", key)) != 0)
            break;
        if ((error = nat_add("ports", key, data, claim->token)) == -EEXIST) {
            claim_sweep(claim_home(), true); /* of a dead box: nobody living holds the port */
            error = nat_add("ports", key, data, claim->token);
        }
        if (error == -EEXIST)
            return refuse("publish: the rules already have %s", key);
    }
    return error;
}
