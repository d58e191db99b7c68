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

void *link_one_more(void *array, int count, size_t size)
{
    bool full = count == 0 || (count >= 16 && (count & (count - 1)) == 0);
    return full ? realloc(array, (count < 16 ? 16 : 2 * (size_t)count) * size) : array;
}

static int take_link(const struct nlmsghdr *message, struct links *links)
{
    const struct ifinfomsg *header = NLMSG_DATA(message);
    struct link *grown = link_one_more(links->links, links->link_count, sizeof(*grown));

    if (grown == NULL)
        return -ENOMEM;
    links->links = grown;
    struct link *link = &grown[links->link_count++];
    const struct nlattr *info = netlink_find(message, sizeof(*header), IFLA_LINKINFO);
    link->index = header->ifi_index;
    link->up = header->ifi_flags & IFF_UP;
    link->master = (int)netlink_number(netlink_find(message, sizeof(*header), IFLA_MASTER));
    link->group = netlink_number(netlink_find(message, sizeof(*header), IFLA_GROUP));
    netlink_text(netlink_find(message, sizeof(*header), IFLA_IFNAME), link->name,
                 sizeof(link->name));
    netlink_text(netlink_find(message, sizeof(*header), IFLA_IFALIAS), link->alias,
                 sizeof(link->alias));
    netlink_text(netlink_find_in(info, IFLA_INFO_KIND), link->kind, sizeof(link->kind));
    return 0;
}

static int take_address(const struct nlmsghdr *message, struct links *links)
{
    const struct ifaddrmsg *header = NLMSG_DATA(message);
    struct address *grown = link_one_more(links->addresses, links->address_count, sizeof(*grown));

    if (grown == NULL)
        return -ENOMEM;
    links->addresses = grown;
    struct address *address = &grown[links->address_count++];
    address->link = (int)header->ifa_index;
    address->prefix = header->ifa_prefixlen;
    address->address = ntohl(netlink_number(netlink_find(message, sizeof(*header), IFA_LOCAL)));
    return 0;
}

static int ask_for_links(struct netlink *netlink, struct links *links)
{
    struct ifinfomsg any_link = {.ifi_family = AF_UNSPEC};
    const struct nlmsghdr *message;

    netlink_message(netlink, RTM_GETLINK, NLM_F_DUMP, &any_link, sizeof(any_link),
                    "ip -details link show\tRTM_GETLINK all");
    netlink_put_number(netlink, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    int error = netlink_ask(netlink);
    while (error == 0 && (message = netlink_next(netlink, &error)) != NULL)
        if (message->nlmsg_type == RTM_NEWLINK)
            error = take_link(message, links);
    return error;
}

static int ask_for_addresses(struct netlink *netlink, struct links *links)
{
    struct ifaddrmsg any_address = {.ifa_family = AF_INET};
    const struct nlmsghdr *message;

    netlink_message(netlink, RTM_GETADDR, NLM_F_DUMP, &any_address, sizeof(any_address),
                    "ip -4 address show\tRTM_GETADDR all");
    int error = netlink_ask(netlink);
    while (error == 0 && (message = netlink_next(netlink, &error)) != NULL)
        if (message->nlmsg_type == RTM_NEWADDR)
            error = take_address(message, links);
    return error;
}

int link_list(struct netlink *netlink, struct links *links)
{
    bool torn;
    int error;

    memset(links, 0, sizeof(*links));
    do { /* a list that was changed while it was told may lack something */
        link_free(links);
        error = ask_for_links(netlink, links);
        torn = netlink->interrupted;
        if (error == 0)
            error = ask_for_addresses(netlink, links);
    } while (error == 0 && (torn || netlink->interrupted));
    return error;
}

void link_free(struct links *links)
{
    free(links->links);
    free(links->addresses);
    memset(links, 0, sizeof(*links));
}

void link_forget(struct links *links, int index)
{
    int kept = 0;

    for (int i = 0; i < links->link_count; i++)
        if (links->links[i].index != index)
            links->links[kept++] = links->links[i];
    links->link_count = kept;
    kept = 0;
    for (int i = 0; i < links->address_count; i++)
        if (links->addresses[i].link != index)
            links->addresses[kept++] = links->addresses[i];
    links->address_count = kept;
}

struct link *link_named(const struct links *links, const char *name)
{
    for (int i = 0; i < links->link_count; i++)
        if (strcmp(links->links[i].name, name) == 0)
            return &links->links[i];
    return NULL;
}

struct link *link_numbered(const struct links *links, int index)
{
    for (int i = 0; i < links->link_count; i++)
        if (links->links[i].index == index)
            return &links->links[i];
    return NULL;
}

/*
 * A link's hardware address made of its IPv4 address (02: none that a manufacturer gives). So the
 * one is never seen with another one of the other: who has learned them may keep them, also when
 * the next box gets the address, or when the port goes whose hardware address a bridge would
 * borrow.
 */
struct mac {
    uint8_t bytes[6];
};

static struct mac mac_of(uint32_t address)
{
    return (struct mac){{0x02, 0x10, (uint8_t)(address >> 24), (uint8_t)(address >> 16),
                         (uint8_t)(address >> 8), (uint8_t)address}};
}

static const char *mac_text(struct mac mac, char *text)
{
    const uint8_t *byte = mac.bytes;
    sprintf(text, "%02x:%02x:%02x:%02x:%02x:%02x", byte[0], byte[1], byte[2], byte[3], byte[4],
            byte[5]);
    return text;
}

void link_add_bridge(struct netlink *netlink, const char *name, uint32_t address, uint32_t group)
{
    struct ifinfomsg header = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct mac mac = mac_of(address);
    char text[24];

    netlink_message(netlink, RTM_NEWLINK, MAKE, &header, sizeof(header),
                    "ip link add %s address %s group %u up type bridge\tRTM_NEWLINK bridge %s",
                    name, mac_text(mac, text), group, name);
    netlink_put_string(netlink, IFLA_IFNAME, name);
    netlink_put(netlink, IFLA_ADDRESS, &mac, sizeof(mac));
    netlink_put_number(netlink, IFLA_GROUP, group);
    size_t info = netlink_open_nest(netlink, IFLA_LINKINFO);
    netlink_put_string(netlink, IFLA_INFO_KIND, "bridge");
    netlink_close_nest(netlink, info);
}

void link_set_alias(struct netlink *netlink, const char *name, const char *alias)
{
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC};

    netlink_message(netlink, RTM_NEWLINK, CHANGE, &header, sizeof(header),
                    "ip link set %s alias '%s'\tRTM_NEWLINK %s alias", name, alias, name);
    netlink_put_string(netlink, IFLA_IFNAME, name);
    netlink_put_string(netlink, IFLA_IFALIAS, alias);
}

void link_add_pair(struct netlink *netlink, const char *name, const struct link *bridge,
                   int name_space, uint32_t address, bool hairpin)
{
    struct ifinfomsg header = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct ifinfomsg peer = {.ifi_family = AF_UNSPEC};
    struct mac mac = mac_of(address);
    char text[24];

    netlink_message(netlink, RTM_NEWLINK, MAKE, &header, sizeof(header),
                    "ip link add %s group %u master %s up type veth peer eth0 address %s netns BOX"
                    "\tRTM_NEWLINK veth %s",
                    name, bridge->group, bridge->name, mac_text(mac, text), name);
    netlink_put_string(netlink, IFLA_IFNAME, name);
    netlink_put_number(netlink, IFLA_GROUP, bridge->group);
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

void link_delete_group(struct netlink *netlink, uint32_t group)
{
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC};

    netlink_message(netlink, RTM_DELLINK, CHANGE, &header, sizeof(header),
                    "ip link delete group %u\tRTM_DELLINK group %u", group, group);
    netlink_put_number(netlink, IFLA_GROUP, group);
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
