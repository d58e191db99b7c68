/* The ports of this host that a box publishes. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "../01-chroot/tool.h"
#include "link.h"
#include "nat.h"
#include "netlink.h"
#include "network.h"
#include "number.h"

/* FIRST[-LAST]; returns LAST. Port 0 stands for any free one, and nobody asks for it by number. */
static int read_range(char *text, const char *what, uint16_t *first)
{
    char *last = text;

    *first = (uint16_t)tool_number(strsep(&last, "-"), what, 1, 65535);
    return last != NULL ? (int)tool_number(last, what, *first, 65535) : *first;
}

void network_read_publish(struct network *network, const char *text)
{
    struct publish port = {.socket = -1, .protocol = IPPROTO_TCP};
    char copy[64], *protocol = copy, *rest, *parts[3];
    int count = 0, last = 0;

    snprintf(copy, sizeof(copy), "%s", text);
    rest = strsep(&protocol, "/");
    if (protocol != NULL && strcmp(protocol, "udp") == 0)
        port.protocol = IPPROTO_UDP;
    else if (protocol != NULL && strcmp(protocol, "tcp") != 0)
        fail("publish: '%s': the protocol is tcp or udp", text);
    while (rest != NULL && count < 3)
        parts[count++] = strsep(&rest, ":");
    if (rest != NULL || strlen(text) >= sizeof(copy))
        fail("publish: '%s' is not [[ADDRESS:][PORT]:]BOXPORT[/tcp|/udp]", text);
    if (count == 3 && strcmp(parts[0], "0.0.0.0") != 0) /* that means all, as does none */
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

char *network_write_publish(const struct publish *port, char text[PUBLISH_TEXT])
{
    char address[LINK_ADDRESS_TEXT];

    link_address_text(port->address, address);
    snprintf(text, PUBLISH_TEXT, "%s%s%d:%d%s", port->address != 0 ? address : "",
             port->address != 0 ? ":" : "", port->port, port->box_port,
             port->protocol == IPPROTO_UDP ? "/udp" : "");
    return text;
}

/*
 * A socket that is bound keeps the published port: the kernel says no to a second box and to any
 * server on this host, and frees the port however the tool ends. What is left of a server's
 * connections has its port for a minute after the server has ended, TIME_WAIT, which SO_REUSEADDR
 * does not mind. It does not mind a second box either, until one listens. socket(7)
 */
static int hold_port(struct publish *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port->port)};
    socklen_t size = sizeof(address);
    const bool tcp = port->protocol == IPPROTO_TCP;
    const int reuse = tcp && port->port != 0;
    char text[LINK_ADDRESS_TEXT];

    address.sin_addr.s_addr = htonl(port->address);
    port->socket = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    if (port->socket != -1 &&
        setsockopt(port->socket, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse)) == 0 &&
        bind(port->socket, (struct sockaddr *)&address, size) == 0 &&
        (!tcp || listen(port->socket, 0) == 0) &&
        getsockname(port->socket, (struct sockaddr *)&address, &size) == 0) {
        port->port = ntohs(address.sin_port);
        return 0;
    }
    if (errno == EADDRINUSE)
        hint("another box or a server on this host has port %d: 'ss -lntup' lists servers",
             port->port);
    if (errno == EADDRNOTAVAIL)
        hint("'ip address' lists the addresses of this host");
    return report("publish %s:%d/%s", link_address_text(port->address, text), port->port,
                  tcp ? "tcp" : "udp");
}

/* Another port of the same number, at all addresses, holds this one as well. */
static bool is_covered(const struct network *network, const struct publish *port)
{
    for (int i = 0; i < network->port_count && port->port != 0 && port->address != 0; i++) {
        const struct publish *other = &network->ports[i];
        if (other != port && other->address == 0 && other->port == port->port &&
            other->protocol == port->protocol)
            return true;
    }
    return false;
}

/*
 * Forget the UDP flows to PORT of this host. The first packet of a flow decides where all others
 * go, and a client that keeps its own port has a flow for as long as it goes on: it would never
 * reach the box that has the port now.
 */
static int forget_flows(const struct publish *port)
{
    enum { AT_ONCE = 16 };
    struct nfgenmsg header = {.nfgen_family = NFPROTO_IPV4};
    const struct nlmsghdr *flow;
    unsigned char tuples[AT_ONCE][128], protocol;
    size_t sizes[AT_ONCE];
    uint16_t to_port;
    uint32_t to;
    int count = 0;

    netlink_message(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, NLM_F_DUMP, &header,
                    sizeof(header), "conntrack --dump --proto udp\tIPCTNL_MSG_CT_GET all");
    netlink_ask(NETLINK_NETFILTER);
    while ((flow = netlink_next()) != NULL) {
        netlink_read(flow, sizeof(header), &protocol, sizeof(protocol), CTA_TUPLE_ORIG,
                     CTA_TUPLE_PROTO, CTA_PROTO_NUM, 0);
        netlink_read(flow, sizeof(header), &to_port, sizeof(to_port), CTA_TUPLE_ORIG,
                     CTA_TUPLE_PROTO, CTA_PROTO_DST_PORT, 0);
        netlink_read(flow, sizeof(header), &to, sizeof(to), CTA_TUPLE_ORIG, CTA_TUPLE_IP,
                     CTA_IP_V4_DST, 0);
        if (count < AT_ONCE && protocol == IPPROTO_UDP && ntohs(to_port) == port->port &&
            (port->address == 0 || port->address == ntohl(to))) {
            sizes[count] = netlink_read(flow, sizeof(header), tuples[count], sizeof(tuples[0]),
                                        CTA_TUPLE_ORIG, 0);
            count++;
        }
    }
    int error = netlink_end(-EAGAIN, -EINVAL); /* what is new on the list knows the port already */
    if (error == -EINVAL) {
        hint("'modprobe nf_conntrack_netlink' helps; without, a client that called this port "
             "before may have to wait for some minutes");
        (void)refuse("publish: the UDP flows to port %d can't be listed", port->port);
    }
    if (error != 0 && error != -EAGAIN)
        return error == -EINVAL ? 0 : error;
    for (int i = 0; i < count; i++) {
        netlink_message(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, NLM_F_ACK, &header,
                        sizeof(header),
                        "conntrack --delete --proto udp --dport %d\tIPCTNL_MSG_CT_DELETE port %d",
                        port->port, port->port);
        netlink_put(CTA_TUPLE_ORIG | NLA_F_NESTED, tuples[i], sizes[i]);
    }
    error = count > 0 ? netlink_send(NETLINK_NETFILTER, -ENOENT) : 0; /* some end by themselves */
    if (error != 0 && error != -ENOENT)
        return error;
    return count == AT_ONCE ? forget_flows(port) : 0;
}

static int publish(struct network *network, struct publish *port)
{
    struct claim *claim = &network->claims[PORTS];
    char key[64], data[64], text[LINK_ADDRESS_TEXT];
    int error = is_covered(network, port) ? 0 : hold_port(port);

    if (error != 0)
        return error;
    snprintf(key, sizeof(key), "%s . %s . %d", link_address_text(port->address, text),
             port->protocol == IPPROTO_TCP ? "tcp" : "udp", port->port);
    snprintf(data, sizeof(data), "%s . %d", link_address_text(network->address, text),
             port->box_port);
    error = claim_note(claim, "element ports %s", key);
    if (error == 0)
        error = nat_add("ports", key, data, claim->token);
    if (error == -EEXIST) {
        claim_sweep(claim_home(), true); /* of a dead box: nobody living holds the port */
        error = nat_add("ports", key, data, claim->token);
    }
    if (error == -EEXIST)
        return refuse("publish %s: the rules have it already", key);
    return error == 0 && port->protocol == IPPROTO_UDP ? forget_flows(port) : error;
}

int network_publish(struct network *network)
{
    int error =
        network->port_count > 0 ? claim_take(&network->claims[PORTS], claim_home(), NULL) : 0;

    for (int i = 0; i < network->port_count && error == 0; i++)
        error = publish(network, &network->ports[i]);
    return error;
}
