/*
 * Links, addresses and routes, by netlink: rtnetlink(7). Also the settings below /proc/sys/net.
 *
 * Functions without a result only put a message into netlink.h's buffer. Those that return an int
 * return 0 or, after report(), -errno. IPv4 addresses are in host byte order.
 */
#ifndef LINK_H
#define LINK_H

#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "claim.h"

#define IP_FORWARD "/proc/sys/net/ipv4/ip_forward"

enum { LINK_ADDRESS_TEXT = 16 };

struct link {
    int index;
    bool up, is_bridge;
    char name[IF_NAMESIZE];
    struct ether_addr mac;
};

struct address {
    int link; /* index */
    int prefix;
    uint32_t address;
};

/* Look for the link NAME: -ENODEV without report() if it doesn't exist. All IPv4 addresses of this
 * network namespace; returns how many. */
int link_find(const char *name, struct link *link);
int link_addresses(struct address **addresses);

/* Add a bridge, up, whose hardware address is made of TOKEN. Is LINK's? Delete the link NAME. */
void link_add_bridge(const char *name, const char *token);
bool link_has_token(const struct link *link, const char *token);
void link_delete(const char *name);

/* A veth pair: the end NAME here, up, a port of BRIDGE; the other end "eth0", born in the network
 * namespace open as NAME_SPACE. Its hardware address is made of its ADDRESS, for neighbours that
 * have known the last box there. HAIRPIN: packets may leave by the port that they came in by. */
void link_add_pair(const char *name, const struct link *bridge, int name_space, uint32_t address,
                   bool hairpin);

/* Set the link NAME up, WITHOUT_IPV6 address of its own. Give it one. Add a default route. */
void link_up(const char *name, bool without_ipv6);
void link_add_address(const char *name, uint32_t address, int prefix);
void link_add_default_route(uint32_t gateway);

/* ADDRESS as "172.27.0.1" in TEXT, of LINK_ADDRESS_TEXT bytes. The mask of PREFIX bits. */
char *link_address_text(uint32_t address, char *text);
uint32_t link_mask(int prefix);

/* The first letter of the setting PATH, or '\0'. Set FAMILY/conf/LINK/SETTING to VALUE for as long
 * as CLAIM lasts; CLAIM is NULL for a link that goes with us, and then it isn't done where
 * /proc/sys is read-only, as in a container. For claim.c: set PATH to OLD again. */
char setting_read(const char *path);
int setting_change(struct claim *claim, const char *family, const char *link, const char *setting,
                   char value);
int setting_restore(const char *path, char old);

#endif
