#include "conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../01-chroot/tool.h"

/* The kernel's description of a flow by its addresses and ports, as it tells it. */
struct flow {
    size_t size;
    unsigned char tuple[128];
};

static void message(struct netlink *netlink, int type, int flags, const char *step)
{
    struct nfgenmsg header = {.nfgen_family = NFPROTO_IPV4};

    netlink_message(netlink, NFNL_SUBSYS_CTNETLINK << 8 | type, flags, &header, sizeof(header),
                    "%s", step);
}

/* Does ENTRY begin at a packet to PORT? Then its addresses and ports go into FLOW. */
static bool take(const struct nlmsghdr *entry, const struct publish *port, struct flow *flow)
{
    const struct nlattr *tuple = netlink_find(entry, sizeof(struct nfgenmsg), CTA_TUPLE_ORIG);
    const struct nlattr *protocol = netlink_find_in(tuple, CTA_TUPLE_PROTO);
    const struct nlattr *address = netlink_find_in(tuple, CTA_TUPLE_IP);
    const struct nlattr *number = netlink_find_in(protocol, CTA_PROTO_NUM);
    const struct nlattr *to_port = netlink_find_in(protocol, CTA_PROTO_DST_PORT);
    uint32_t to = ntohl(netlink_number(netlink_find_in(address, CTA_IP_V4_DST)));
    uint16_t wanted = htons(port->port);

    if (number == NULL || to_port == NULL || tuple->nla_len > NLA_HDRLEN + sizeof(flow->tuple) ||
        *((const uint8_t *)number + NLA_HDRLEN) != IPPROTO_UDP ||
        memcmp((const char *)to_port + NLA_HDRLEN, &wanted, sizeof(wanted)) != 0 ||
        (port->address != 0 && port->address != to))
        return false;
    flow->size = tuple->nla_len - NLA_HDRLEN;
    memcpy(flow->tuple, (const char *)tuple + NLA_HDRLEN, flow->size);
    return true;
}

/* The flows to PORT, in memory that the caller frees. Returns how many or -errno. */
static int list(struct netlink *netlink, const struct publish *port, struct flow **flows)
{
    const struct nlmsghdr *entry;
    struct flow flow;
    int count = 0;

    message(netlink, IPCTNL_MSG_CT_GET, NLM_F_DUMP,
            "conntrack --dump --proto udp\tIPCTNL_MSG_CT_GET all");
    int error = netlink_ask(netlink);
    while (error == 0 && (entry = netlink_next(netlink, &error)) != NULL) {
        if (!take(entry, port, &flow))
            continue;
        struct flow *grown = realloc(*flows, ((size_t)count + 1) * sizeof(flow));
        if (grown == NULL)
            return -ENOMEM;
        *flows = grown;
        grown[count++] = flow;
    }
    return error == 0 ? count : error;
}

int conntrack_forget(struct netlink *netlink, const struct publish *port)
{
    struct flow *flows = NULL;
    int count = list(netlink, port, &flows), error = count < 0 ? count : 0;
    char step[96];

    for (int i = 0; i < count && flows != NULL && error == 0; i++) {
        snprintf(step, sizeof(step),
                 "conntrack --delete --proto udp --dport %d\tIPCTNL_MSG_CT_DELETE port %d",
                 port->port, port->port);
        message(netlink, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, step);
        netlink_put(netlink, CTA_TUPLE_ORIG | NLA_F_NESTED, flows[i].tuple, flows[i].size);
        error = netlink_send(netlink);
        if (error == -ENOENT) /* it has ended by itself */
            error = 0;
    }
    free(flows);
    return error == 0 ? 0 : netlink_report(netlink, error);
}
