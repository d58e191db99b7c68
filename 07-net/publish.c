#define _GNU_SOURCE
/* The ports of this host that a box publishes. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../01-chroot/tool.h"
#include "link.h"
#include "nat.h"
#include "netlink.h"
#include "network.h"

enum { MAX_PASSES = 256 };

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

/* Is ADDRESS, in network byte order, one of this host's OWN? */
static bool is_own(uint32_t address, const struct address *own, int count)
{
    while (count > 0 && htonl(own[count - 1].address) != address)
        count--;
    return count > 0;
}

/* Is the FLOW, as the kernel lists it, one of UDP to PORT, at one of the COUNT addresses OWN, and
 * led elsewhere than to BOX? */
static bool is_to(const struct publish *port, const struct nlmsghdr *flow, uint32_t box,
                  const struct address *own, int count)
{
    const size_t header = sizeof(struct nfgenmsg);
    unsigned char protocol;
    uint16_t number, box_port;
    uint32_t address, from;

    netlink_read(flow, header, &protocol, 1, CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_PROTO_NUM, 0);
    netlink_read(flow, header, &number, 2, CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_PROTO_DST_PORT, 0);
    netlink_read(flow, header, &address, 4, CTA_TUPLE_ORIG, CTA_TUPLE_IP, CTA_IP_V4_DST, 0);
    netlink_read(flow, header, &from, 4, CTA_TUPLE_REPLY, CTA_TUPLE_IP, CTA_IP_V4_SRC, 0);
    netlink_read(flow, header, &box_port, 2, CTA_TUPLE_REPLY, CTA_TUPLE_PROTO, CTA_PROTO_SRC_PORT,
                 0);
    return protocol == IPPROTO_UDP && number == htons(port->port) &&
           (from != htonl(box) || box_port != htons(port->box_port)) &&
           (port->address == 0 ? is_own(address, own, count) : address == htonl(port->address));
}

/* Forget the UDP flows to PORT: a flow's first packet decides where all others go, so a client that
 * keeps its own port would never reach BOX, which has the port now. In PASSES, of some each. */
static int forget_flows(const struct publish *port, uint32_t box, int passes)
{
    enum { AT_ONCE = 32 };
    struct address *own;
    struct nfgenmsg header = {.nfgen_family = NFPROTO_IPV4};
    const struct nlmsghdr *flow;
    unsigned char tuples[AT_ONCE][128];
    size_t sizes[AT_ONCE];
    int count = 0, own_count = link_addresses(&own);

    if (own_count < 0)
        return own_count;
    netlink_message(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, NLM_F_DUMP, &header,
                    sizeof(header), "conntrack --dump --proto udp\tIPCTNL_MSG_CT_GET all");
    while ((flow = netlink_next(NETLINK_NETFILTER)) != NULL)
        if (count < AT_ONCE && is_to(port, flow, box, own, own_count)) {
            sizes[count] = netlink_read(flow, sizeof(header), tuples[count], sizeof(tuples[0]),
                                        CTA_TUPLE_ORIG, 0);
            count++;
        }
    free(own);
    int error = netlink_end(0, 0);
    if (error != 0 || count == 0)
        return error;
    for (int i = 0; i < count; i++) {
        netlink_message(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, NLM_F_ACK, &header,
                        sizeof(header), "conntrack --delete --proto udp\tIPCTNL_MSG_CT_DELETE");
        netlink_put(CTA_TUPLE_ORIG | NLA_F_NESTED, tuples[i], sizes[i]);
    }
    error = netlink_send(NETLINK_NETFILTER, -ENOENT); /* some end by themselves */
    if (error != 0 && error != -ENOENT)
        return error;
    return count == AT_ONCE && passes > 1 ? forget_flows(port, box, passes - 1) : 0;
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
        if (error == 0 && udp)
            error = forget_flows(port, network->lease->address, MAX_PASSES);
    }
    return error;
}
