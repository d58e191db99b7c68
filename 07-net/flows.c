/* UDP flows, as conntrack(8) lists them: the kernel remembers what it has changed about the first
 * packet, and does the same to all others. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "nat.h"
#include "netlink.h"

enum {
    AT_ONCE = 32,
    MAX_PASSES = 256 /* new ones may come without end */
};

/* Is the FLOW to the port KEY, where any address is one of the COUNT of this host, OWN, and doesn't
 * lead to DATA? */
static bool is_to(const struct nlmsghdr *flow, const char *key, const char *data,
                  const struct address *own, int count)
{
    const size_t header = sizeof(struct nfgenmsg);
    unsigned char protocol;
    uint16_t port, box_port;
    uint32_t address, box;
    char to[64], leads[64];

    netlink_read(flow, header, &protocol, 1, CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_PROTO_NUM, 0);
    netlink_read(flow, header, &address, 4, CTA_TUPLE_ORIG, CTA_TUPLE_IP, CTA_IP_V4_DST, 0);
    netlink_read(flow, header, &port, 2, CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_PROTO_DST_PORT, 0);
    netlink_read(flow, header, &box, 4, CTA_TUPLE_REPLY, CTA_TUPLE_IP, CTA_IP_V4_SRC, 0);
    netlink_read(flow, header, &box_port, 2, CTA_TUPLE_REPLY, CTA_TUPLE_PROTO, CTA_PROTO_SRC_PORT,
                 0);
    while (count > 0 && own[count - 1].address != ntohl(address))
        count--;
    if (count > 0 && strncmp(key, "0.0.0.0 ", 8) == 0)
        address = 0;
    snprintf(to, sizeof(to), "%s . udp . %d", link_address_text(ntohl(address)), ntohs(port));
    snprintf(leads, sizeof(leads), "%s . %d", link_address_text(ntohl(box)), ntohs(box_port));
    return protocol == IPPROTO_UDP && strcmp(to, key) == 0 &&
           (data == NULL || strcmp(leads, data) != 0);
}

/* Forget some. Returns how many, or -errno. */
static int forget(const char *key, const char *data, const struct address *own, int own_count)
{
    const bool any = strncmp(key, "0.0.0.0 ", 8) == 0;
    struct nfgenmsg header = {.nfgen_family = NFPROTO_IPV4};
    const struct nlmsghdr *flow;
    unsigned char tuples[AT_ONCE][128];
    size_t sizes[AT_ONCE];
    int count = 0;

    netlink_message(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, NLM_F_DUMP, &header,
                    sizeof(header), "conntrack --dump --proto udp\tIPCTNL_MSG_CT_GET all");
    while ((flow = netlink_next(NETLINK_NETFILTER)) != NULL)
        if (count < AT_ONCE && is_to(flow, key, data, own, own_count)) {
            sizes[count] = netlink_read(flow, sizeof(header), tuples[count], sizeof(tuples[0]),
                                        CTA_TUPLE_ORIG, 0);
            count++;
        }
    int error = netlink_end(data == NULL ? -EINVAL : 0, 0);
    if (error != 0 || count == 0)
        return error;
    for (int i = 0; i < count; i++) {
        netlink_message(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, NLM_F_ACK, &header,
                        sizeof(header),
                        "conntrack --delete --proto udp --orig-port-dst %s%s%.*s"
                        "\tIPCTNL_MSG_CT_DELETE",
                        strrchr(key, ' ') + 1, any ? "" : " --orig-dst ",
                        any ? 0 : (int)strcspn(key, " "), key);
        netlink_put(CTA_TUPLE_ORIG | NLA_F_NESTED, tuples[i], sizes[i]);
    }
    error = netlink_send(NETLINK_NETFILTER, -ENOENT); /* some end by themselves */
    return error == 0 || error == -ENOENT ? count : error;
}

int nat_forget(const char *key, const char *data)
{
    struct address *own;

    if (strstr(key, " . udp . ") == NULL)
        return 0;
    int own_count = link_addresses(&own), count = own_count < 0 ? own_count : AT_ONCE;
    for (int passes = MAX_PASSES; count == AT_ONCE && passes > 0; passes--)
        count = forget(key, data, own, own_count);
    free(own);
    /* Where the kernel can't list them, nothing was published. */
    return count > 0 || (count == -EINVAL && data == NULL) ? 0 : count;
}
