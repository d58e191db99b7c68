/* The ports of this host that a box publishes. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "../01-chroot/tool.h"
#include "bridge.h"

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
 * reach the box that has the port now. They are listed by one socket and removed by another.
 */
static int forget_flows(struct netlink *list, const struct publish *port)
{
    struct nfgenmsg header = {.nfgen_family = NFPROTO_IPV4};
    const struct nlmsghdr *flow;
    struct netlink netlink;
    unsigned char tuple[128], protocol;
    uint16_t to_port;
    uint32_t to;
    int gone = netlink_open(&netlink, NETLINK_NETFILTER), error;

    netlink_message(list, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, NLM_F_DUMP, &header,
                    sizeof(header), "conntrack --dump --proto udp\tIPCTNL_MSG_CT_GET all");
    error = netlink_ask(list);
    while ((flow = netlink_next(list, &error)) != NULL) {
        size_t size = netlink_read(flow, sizeof(header), tuple, sizeof(tuple), CTA_TUPLE_ORIG, 0);
        netlink_read(flow, sizeof(header), &protocol, sizeof(protocol), CTA_TUPLE_ORIG,
                     CTA_TUPLE_PROTO, CTA_PROTO_NUM, 0);
        netlink_read(flow, sizeof(header), &to_port, sizeof(to_port), CTA_TUPLE_ORIG,
                     CTA_TUPLE_PROTO, CTA_PROTO_DST_PORT, 0);
        netlink_read(flow, sizeof(header), &to, sizeof(to), CTA_TUPLE_ORIG, CTA_TUPLE_IP,
                     CTA_IP_V4_DST, 0);
        if (gone != 0 || protocol != IPPROTO_UDP || ntohs(to_port) != port->port ||
            size > sizeof(tuple) || (port->address != 0 && port->address != ntohl(to)))
            continue;
        netlink_message(&netlink, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, NLM_F_ACK,
                        &header, sizeof(header),
                        "conntrack --delete --proto udp --dport %d\tIPCTNL_MSG_CT_DELETE port %d",
                        port->port, port->port);
        netlink_put(&netlink, CTA_TUPLE_ORIG | NLA_F_NESTED, tuple, size);
        gone = netlink_send(&netlink);
        gone = gone == -ENOENT ? 0 : gone; /* it has ended by itself */
    }
    netlink_close(&netlink);
    if (gone != 0)
        return netlink_report(&netlink, gone);
    if (error == 0 || error == -EAGAIN) /* what is new on the list knows the port already */
        return 0;
    if (error == -EINVAL)
        hint("'modprobe nf_conntrack_netlink' helps; without, a client that called this port "
             "before may have to wait for some minutes");
    (void)netlink_report(list, error);
    return error == -EINVAL ? 0 : error;
}

static int publish(struct network *network, struct host *host, struct publish *port)
{
    char key[64], data[64], text[LINK_ADDRESS_TEXT];
    int error = is_covered(network, port) ? 0 : hold_port(port);

    if (error != 0)
        return error;
    snprintf(key, sizeof(key), "%s . %s . %d", link_address_text(port->address, text),
             port->protocol == IPPROTO_TCP ? "tcp" : "udp", port->port);
    snprintf(data, sizeof(data), "%s . %d", link_address_text(network->address, text),
             port->box_port);
    error = claim_note(&network->claim, "element ports %s", key);
    if (error == 0)
        error = nat_add_element(&host->filter, "ports", key, data, network->claim.token);
    if (error == -EEXIST) {
        claim_sweep(claim_home(), true); /* of a dead box: nobody living holds the port */
        error = nat_add_element(&host->filter, "ports", key, data, network->claim.token);
    }
    if (error == -EEXIST)
        return refuse("publish %s: the rules have it already", key);
    return error == 0 && port->protocol == IPPROTO_UDP ? forget_flows(&host->filter, port) : error;
}

int publish_ports(struct network *network, struct host *host)
{
    int error = network->port_count > 0 ? claim_take(&network->claim, claim_home(), NULL) : 0;

    for (int i = 0; i < network->port_count && error == 0; i++)
        error = publish(network, host, &network->ports[i]);
    return error;
}
