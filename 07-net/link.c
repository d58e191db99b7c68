#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netinet/ether.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../06-user/idmap.h" /* first_line() */
#include "claim.h"
#include "netlink.h"

enum { MAKE = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK };

/* netlink_message() about the link NAME. UP: IFF_UP if it is to be set up, else 0. */
#define link_message(type, flags, name, up, ...)                                                   \
    (netlink_message(type, flags, &(struct ifinfomsg){.ifi_flags = (up), .ifi_change = (up)},      \
                     sizeof(struct ifinfomsg), __VA_ARGS__),                                       \
     netlink_put_string(IFLA_IFNAME, name))

const char *link_address_text(uint32_t address)
{
    static char texts[2][INET_ADDRSTRLEN];
    static unsigned turn;
    const struct in_addr in = {.s_addr = htonl(address)};

    return inet_ntop(AF_INET, &in, texts[turn++ % 2], INET_ADDRSTRLEN);
}

uint32_t link_mask(int prefix)
{
    return prefix == 0 ? 0 : ~0U << (32 - prefix);
}

int link_addresses(struct address **addresses)
{
    const struct nlmsghdr *message;
    int count = 0;

    *addresses = NULL;
    netlink_message(RTM_GETADDR, NLM_F_DUMP, &(struct ifaddrmsg){.ifa_family = AF_INET},
                    sizeof(struct ifaddrmsg), "ip -4 address show\tRTM_GETADDR all");
    while ((message = netlink_next(NETLINK_ROUTE)) != NULL) {
        const struct ifaddrmsg *header = NLMSG_DATA(message);
        *addresses = reallocarray(*addresses, (size_t)count + 1, sizeof(**addresses));
        if (*addresses == NULL)
            return report("reallocarray");
        struct address *new = &(*addresses)[count++];
        *new = (struct address){.prefix = header->ifa_prefixlen};
        netlink_read(message, sizeof(*header), new->link, IF_NAMESIZE - 1, IFA_LABEL, 0);
        new->link[strcspn(new->link, ":")] = '\0'; /* the label of a second address */
        netlink_read(message, sizeof(*header), &new->address, 4, IFA_LOCAL, 0);
        new->address = ntohl(new->address);
    }
    int error = netlink_end(0, 0);
    return error == 0 ? count : error;
}

/* A hardware address of 02, which no manufacturer gives, and ten digits of HEX. */
static const char *mac_text(const char *hex)
{
    static char text[18];

    snprintf(text, sizeof(text), "02:%.2s:%.2s:%.2s:%.2s:%.2s", hex, hex + 2, hex + 4, hex + 6,
             hex + 8);
    return text;
}

void link_add_bridge(const char *name, const char *token)
{
    const char *address = mac_text(token);

    link_message(RTM_NEWLINK, MAKE, name, IFF_UP,
                 "ip link add %s address %s up type bridge\tRTM_NEWLINK bridge %s", name, address,
                 name);
    netlink_put(IFLA_ADDRESS, ether_aton(address), ETH_ALEN);
    netlink_open_nest(IFLA_LINKINFO);
    netlink_put_string(IFLA_INFO_KIND, "bridge");
}

void link_add_pair(const char *name, const char *bridge, int name_space, uint32_t address)
{
    struct ifinfomsg peer = {.ifi_family = AF_UNSPEC};
    char hex[11];

    snprintf(hex, sizeof(hex), "10%08x", address);
    const char *mac = mac_text(hex);
    link_message(RTM_NEWLINK, MAKE, name, IFF_UP,
                 "ip link add %s master %s up type veth peer eth0 address %s netns BOX"
                 "\tRTM_NEWLINK veth %s",
                 name, bridge, mac, name);
    netlink_put_number(IFLA_MASTER, if_nametoindex(bridge));
    /* EXERCISE 7.1: say that this is one end of a veth pair, and describe the other: eth0, with the
       address MAC, born in the box's namespace. PEER holds its fixed part. rtnetlink(7) */
    netlink_open_nest(IFLA_LINKINFO);
    netlink_put_string(IFLA_INFO_KIND, "veth");
    netlink_open_nest(IFLA_INFO_DATA);
    /* The peer is described by what would be a message of its own: fixed part and attributes. */
    netlink_open_nest(VETH_INFO_PEER);
    netlink_put_header(&peer, sizeof(peer));
    netlink_put_string(IFLA_IFNAME, "eth0");
    netlink_put(IFLA_ADDRESS, ether_aton(mac), ETH_ALEN);
    netlink_put_number(IFLA_NET_NS_FD, (uint32_t)name_space);
    /* END */
}

void link_set_hairpin(const char *name)
{
    link_message(RTM_NEWLINK, NLM_F_ACK, name, 0,
                 "ip link set %s type bridge_slave hairpin on\tRTM_NEWLINK %s hairpin on", name,
                 name);
    netlink_open_nest(IFLA_LINKINFO);
    netlink_put_string(IFLA_INFO_SLAVE_KIND, "bridge");
    netlink_open_nest(IFLA_INFO_SLAVE_DATA);
    netlink_put(IFLA_BRPORT_MODE, &(uint8_t){1}, 1);
}

int link_remove_bridge(const char *name, const char *token)
{
    const struct nlmsghdr *message;
    struct ether_addr found;
    bool same = false;

    link_message(RTM_GETLINK, 0, name, 0, "ip link show %s\tRTM_GETLINK %s", name, name);
    while ((message = netlink_next(NETLINK_ROUTE)) != NULL) {
        netlink_read(message, sizeof(struct ifinfomsg), &found, sizeof(found), IFLA_ADDRESS, 0);
        same = memcmp(&found, ether_aton(mac_text(token)), sizeof(found)) == 0;
    }
    int error = netlink_end(-ENODEV, 0);
    if (error == 0 && same) {
        link_message(RTM_DELLINK, NLM_F_ACK, name, 0, "ip link delete %s\tRTM_DELLINK %s", name,
                     name);
        error = netlink_send(NETLINK_ROUTE, -ENODEV);
    }
    return error == -ENODEV ? 0 : error;
}

void link_without_ipv6(const char *name)
{
    link_message(RTM_NEWLINK, NLM_F_ACK, name, 0,
                 "ip link set %s addrgenmode none\tRTM_NEWLINK %s addrgenmode none", name, name);
    netlink_open_nest(IFLA_AF_SPEC);
    netlink_open_nest(AF_INET6);
    netlink_put(IFLA_INET6_ADDR_GEN_MODE, &(uint8_t){IN6_ADDR_GEN_MODE_NONE}, 1);
}

void link_up(const char *name)
{
    link_message(RTM_NEWLINK, NLM_F_ACK, name, IFF_UP, "ip link set %s up\tRTM_NEWLINK %s up", name,
                 name);
}

void link_add_address(const char *name, uint32_t address, int prefix)
{
    struct ifaddrmsg header = {.ifa_family = AF_INET, .ifa_prefixlen = (uint8_t)prefix};
    const char *text = link_address_text(address);

    header.ifa_index = if_nametoindex(name);
    netlink_message(RTM_NEWADDR, MAKE, &header, sizeof(header),
                    "ip address add %s/%d broadcast + dev %s\tRTM_NEWADDR %s/%d dev %s", text,
                    prefix, name, text, prefix, name);
    netlink_put_big_endian(IFA_LOCAL, address);
    netlink_put_big_endian(IFA_ADDRESS, address);
    netlink_put_big_endian(IFA_BROADCAST, address | ~link_mask(prefix));
}

void link_add_default_route(uint32_t gateway)
{
    struct rtmsg header = {.rtm_family = AF_INET,
                           .rtm_table = RT_TABLE_MAIN,
                           .rtm_protocol = RTPROT_BOOT,
                           .rtm_type = RTN_UNICAST};
    const char *text = link_address_text(gateway);

    netlink_message(RTM_NEWROUTE, MAKE, &header, sizeof(header),
                    "ip route add default via %s\tRTM_NEWROUTE default via %s", text, text);
    netlink_put_big_endian(RTA_GATEWAY, gateway);
}

char setting_read(const char *family, const char *link, const char *setting)
{
    char path[96], line[8];

    snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, link, setting);
    first_line(path, line, sizeof(line));
    return line[0];
}

/* A setting that is missing is not an error: it went with its link. */
int setting_set(const char *family, const char *link, const char *setting, char value)
{
    const char now = setting_read(family, link, setting);
    char directory[64];

    if (now == value || now == '\0')
        return 0;
    snprintf(directory, sizeof(directory), "/proc/sys/net/%s/conf/%s", family, link);
    int error = file_write(directory, setting, (char[]){value, '\0'});
    if (error == -EROFS)
        hint("/proc/sys is read-only, as in a container: start that one with --privileged");
    return error == 0 || error == -ENOENT ? 0 : report("write %s/%s", directory, setting);
}

/* If ip_forward is on by now, somebody else needs it (docker, say), and then all links forward. */
int forwarding_stop(const char *link)
{
    if (setting_read("ipv4", "all", "forwarding") == '1')
        return 0;
    int error = setting_set("ipv4", link, "forwarding", '0');
    /* Switched on between the two? Then this link has been switched on, and off again by us. */
    if (error == 0 && setting_read("ipv4", "all", "forwarding") == '1')
        error = setting_set("ipv4", link, "forwarding", '1');
    return error;
}
