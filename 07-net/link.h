/*
 * Links, addresses and routes, by netlink: rtnetlink(7). Also the settings below /proc/sys/net.
 * As in netlink.h, a function without a result only adds a message. IPv4 addresses are in host
 * byte order.
 */
#ifndef LINK_H
#define LINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct address {
    char link[IF_NAMESIZE];
    int prefix;
    uint32_t address;
};

/* All IPv4 addresses of this network namespace, in allocated memory. Returns how many. */
int link_addresses(struct address **addresses);

/* Add a bridge, up, whose hardware address is made of TOKEN. Remove the link NAME if it has it. */
void link_add_bridge(const char *name, const char *token);
int link_remove_bridge(const char *name, const char *token);

/* A veth pair: the end NAME here, up, a port of BRIDGE; the other end "eth0", born in the network
 * namespace open as NAME_SPACE. Its hardware address is made of its ADDRESS, for neighbours that
 * have known the last box there. / Let packets leave the bridge by the port that they came in by.
 */
void link_add_pair(const char *name, const char *bridge, int name_space, uint32_t address);
void link_set_hairpin(const char *name);

/* Keep the link NAME, before it is up, from choosing an IPv6 address. Set it up. Give it an
 * address. Add a default route. */
void link_without_ipv6(const char *name);
void link_up(const char *name);
void link_add_address(const char *name, uint32_t address, int prefix);
void link_add_default_route(uint32_t gateway);

/* ADDRESS as "172.27.0.1", until the second call after this. The mask of PREFIX bits. */
const char *link_address_text(uint32_t address);
uint32_t link_mask(int prefix);

/* The first letter of FAMILY/conf/LINK/SETTING, or '\0'; LINK may be "all". Set it to VALUE. For
 * claim.c: let LINK no longer forward. */
char setting_read(const char *family, const char *link, const char *setting);
int setting_set(const char *family, const char *link, const char *setting, char value);
int forwarding_stop(const char *link);

#endif
