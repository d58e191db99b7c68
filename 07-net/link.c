#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../01-chroot/tool.h"

enum { MAKE = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, CHANGE = NLM_F_ACK };

char *link_address_text(uint32_t address, char *text)
{
    struct in_addr in = {.s_addr = htonl(address)};
    inet_ntop(AF_INET, &in, text, LINK_ADDRESS_TEXT);
    return text;
}

uint32_t link_mask(int prefix)
{
    return prefix == 0 ? 0 : ~0U << (32 - prefix);
}

static void take_link(const struct nlmsghdr *message, struct link *link)
{
    const struct ifinfomsg *header = NLMSG_DATA(message);
    const struct nlattr *info = netlink_find(message, sizeof(*header), IFLA_LINKINFO);
    const struct nlattr *mac = netlink_find(message, sizeof(*header), IFLA_ADDRESS);

    *link = (struct link){.index = header->ifi_index, .up = header->ifi_flags & IFF_UP};
    link->master = (int)netlink_number(netlink_find(message, sizeof(*header), IFLA_MASTER));
    netlink_text(netlink_find(message, sizeof(*header), IFLA_IFNAME), link->name,
                 sizeof(link->name));
    netlink_text(netlink_find_in(info, IFLA_INFO_KIND), link->kind, sizeof(link->kind));
    if (mac != NULL && mac->nla_len == NLA_HDRLEN + sizeof(link->mac))
        memcpy(&link->mac, (const char *)mac + NLA_HDRLEN, sizeof(link->mac));
}

int link_find(struct netlink *netlink, const char *name, struct link *link)
{
    struct ifinfomsg any = {.ifi_family = AF_UNSPEC};
    const struct nlmsghdr *message;

    netlink_message(netlink, RTM_GETLINK, NLM_F_ACK, &any, sizeof(any),
                    "ip -details link show %s\tRTM_GETLINK %s", name, name);
    netlink_put_string(netlink, IFLA_IFNAME, name);
    netlink_put_number(netlink, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    int error = netlink_ask(netlink);
    while (error == 0 && (message = netlink_next(netlink, &error)) != NULL)
        take_link(message, link);
    return error;
}

static int ask_for_addresses(struct netlink *netlink, struct address **addresses)
{
    struct ifaddrmsg any_address = {.ifa_family = AF_INET};
    const struct nlmsghdr *message;
    int count = 0;

    netlink_message(netlink, RTM_GETADDR, NLM_F_DUMP, &any_address, sizeof(any_address),
                    "ip -4 address show\tRTM_GETADDR all");
    int error = netlink_ask(netlink);
    while (error == 0 && (message = netlink_next(netlink, &error)) != NULL) {
        const struct ifaddrmsg *header = NLMSG_DATA(message);
        struct address *grown = realloc(*addresses, ((size_t)count + 1) * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        *addresses = grown;
        grown[count++] = (struct address){
            .link = (int)header->ifa_index,
            .prefix = header->ifa_prefixlen,
            .address = ntohl(netlink_number(netlink_find(message, sizeof(*header), IFA_LOCAL)))};
    }
    return error == 0 ? count : error;
}

int link_addresses(struct netlink *netlink, struct address **addresses)
{
    int count;

    *addresses = NULL;
    do /* a list that was changed while it was read may lack something */
        count = ask_for_addresses(netlink, addresses);
    while (count >= 0 && netlink->interrupted);
    return count;
}

/* Hardware addresses begin with 02: none that a manufacturer gives. */
static struct mac mac_of_address(uint32_t address)
{
    return (struct mac){{0x02, 0x10, (uint8_t)(address >> 24), (uint8_t)(address >> 16),
                         (uint8_t)(address >> 8), (uint8_t)address}};
}

static struct mac mac_of_token(const char *token)
{
    unsigned long long bits = strtoull(token, NULL, 16);

    return (struct mac){{0x02, (uint8_t)(bits >> 56), (uint8_t)(bits >> 48), (uint8_t)(bits >> 40),
                         (uint8_t)(bits >> 32), (uint8_t)(bits >> 24)}};
}

static const char *mac_text(struct mac mac, char *text)
{
    const uint8_t *byte = mac.bytes;
    sprintf(text, "%02x:%02x:%02x:%02x:%02x:%02x", byte[0], byte[1], byte[2], byte[3], byte[4],
            byte[5]);
    return text;
}

bool link_has_token(const struct link *link, const char *token)
{
    struct mac mac = mac_of_token(token);

    return memcmp(&link->mac, &mac, sizeof(mac)) == 0;
}

void link_add_bridge(struct netlink *netlink, const char *name, const char *token)
{
    struct ifinfomsg header = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct mac mac = mac_of_token(token);
    char text[24];

    netlink_message(netlink, RTM_NEWLINK, MAKE, &header, sizeof(header),
                    "ip link add %s address %s up type bridge\tRTM_NEWLINK bridge %s", name,
                    mac_text(mac, text), name);
    netlink_put_string(netlink, IFLA_IFNAME, name);
    netlink_put(netlink, IFLA_ADDRESS, &mac, sizeof(mac));
    size_t info = netlink_open_nest(netlink, IFLA_LINKINFO);
    netlink_put_string(netlink, IFLA_INFO_KIND, "bridge");
    netlink_close_nest(netlink, info);
}

void link_add_pair(struct netlink *netlink, const char *name, const struct link *bridge,
                   int name_space, uint32_t address, bool hairpin)
{
    struct ifinfomsg header = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct ifinfomsg peer = {.ifi_family = AF_UNSPEC};
    struct mac mac = mac_of_address(address);
    char text[24];

    netlink_message(netlink, RTM_NEWLINK, MAKE, &header, sizeof(header),
                    "ip link add %s master %s up type veth peer eth0 address %s netns BOX"
                    "\tRTM_NEWLINK veth %s",
                    name, bridge->name, mac_text(mac, text), name);
    netlink_put_string(netlink, IFLA_IFNAME, name);
    netlink_put_number(netlink, IFLA_MASTER, (uint32_t)bridge->index);
    size_t info = netlink_open_nest(netlink, IFLA_LINKINFO);
    netlink_put_string(netlink, IFLA_INFO_KIND, "veth");
    size_t data = netlink_open_nest(netlink, IFLA_INFO_DATA);
    /* The peer is described by what would be a message of its own: fixed part and attributes. */
    size_t other_end = netlink_open_nest(netlink, VETH_INFO_PEER);
    netlink_put_header(netlink, &peer, sizeof(peer));
    netlink_put_string(netlink, IFLA_IFNAME, "eth0");
    netlink_put(netlink, IFLA_ADDRESS, &mac, sizeof(mac));
    /* EXERCISE 7.1: the peer is born in the box's namespace, not here. rtnetlink(7) */
    netlink_put_number(netlink, IFLA_NET_NS_FD, (uint32_t)name_space);
    /* END */
    netlink_close_nest(netlink, other_end);
    netlink_close_nest(netlink, data);
    netlink_close_nest(netlink, info);

    if (!hairpin)
        return;
    header = (struct ifinfomsg){.ifi_family = AF_UNSPEC};
    netlink_message(netlink, RTM_NEWLINK, CHANGE, &header, sizeof(header),
                    "ip link set %s type bridge_slave hairpin on\tRTM_NEWLINK %s hairpin", name,
                    name);
    netlink_put_string(netlink, IFLA_IFNAME, name);
    info = netlink_open_nest(netlink, IFLA_LINKINFO);
    netlink_put_string(netlink, IFLA_INFO_SLAVE_KIND, "bridge");
    data = netlink_open_nest(netlink, IFLA_INFO_SLAVE_DATA);
    netlink_put(netlink, IFLA_BRPORT_MODE, &(uint8_t){1}, 1);
    netlink_close_nest(netlink, data);
    netlink_close_nest(netlink, info);
}

void link_delete(struct netlink *netlink, const char *name)
{
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC};

    netlink_message(netlink, RTM_DELLINK, CHANGE, &header, sizeof(header),
                    "ip link delete %s\tRTM_DELLINK %s", name, name);
    netlink_put_string(netlink, IFLA_IFNAME, name);
}

void link_up(struct netlink *netlink, const char *name, bool without_ipv6)
{
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC};

    if (without_ipv6) { /* by a message of its own: one alone would set the link up first */
        netlink_message(netlink, RTM_NEWLINK, CHANGE, &header, sizeof(header),
                        "ip link set %s addrgenmode none\tRTM_NEWLINK %s addrgenmode none", name,
                        name);
        netlink_put_string(netlink, IFLA_IFNAME, name);
        size_t families = netlink_open_nest(netlink, IFLA_AF_SPEC);
        size_t ipv6 = netlink_open_nest(netlink, AF_INET6);
        netlink_put(netlink, IFLA_INET6_ADDR_GEN_MODE, &(uint8_t){IN6_ADDR_GEN_MODE_NONE}, 1);
        netlink_close_nest(netlink, ipv6);
        netlink_close_nest(netlink, families);
    }
    header.ifi_flags = header.ifi_change = IFF_UP;
    netlink_message(netlink, RTM_NEWLINK, CHANGE, &header, sizeof(header),
                    "ip link set %s up\tRTM_NEWLINK %s up", name, name);
    netlink_put_string(netlink, IFLA_IFNAME, name);
}

void link_add_address(struct netlink *netlink, const char *name, int index, uint32_t address,
                      int prefix)
{
    struct ifaddrmsg header = {.ifa_family = AF_INET, .ifa_prefixlen = (uint8_t)prefix};
    char text[LINK_ADDRESS_TEXT];

    header.ifa_index = index != 0 ? (uint32_t)index : if_nametoindex(name);
    link_address_text(address, text);
    netlink_message(netlink, RTM_NEWADDR, MAKE, &header, sizeof(header),
                    "ip address add %s/%d broadcast + dev %s\tRTM_NEWADDR %s/%d dev %s", text,
                    prefix, name, text, prefix, name);
    netlink_put_big_endian(netlink, IFA_LOCAL, address);
    netlink_put_big_endian(netlink, IFA_ADDRESS, address);
    netlink_put_big_endian(netlink, IFA_BROADCAST, address | ~link_mask(prefix));
}

void link_add_default_route(struct netlink *netlink, uint32_t gateway)
{
    struct rtmsg header = {
        .rtm_family = AF_INET,
        .rtm_table = RT_TABLE_MAIN,
        .rtm_protocol = RTPROT_BOOT,
        .rtm_scope = RT_SCOPE_UNIVERSE,
        .rtm_type = RTN_UNICAST,
    };
    char text[LINK_ADDRESS_TEXT];

    link_address_text(gateway, text);
    netlink_message(netlink, RTM_NEWROUTE, MAKE, &header, sizeof(header),
                    "ip route add default via %s\tRTM_NEWROUTE default via %s", text, text);
    netlink_put_big_endian(netlink, RTA_GATEWAY, gateway);
}
