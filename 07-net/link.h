/*
 * Links, addresses and routes: the messages of rtnetlink(7), and what exists already.
 *
 * The functions that change something only put their message into the buffer;
 * netlink_send() does it. They run on either side. IPv4 addresses are in host byte order here, so
 * that they can be counted and compared.
 */
#ifndef LINK_H
#define LINK_H

#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "netlink.h"

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

/* Look for the link NAME. Returns 0, -ENODEV or, after report(), another -errno. */
int link_find(const char *name, struct link *link);

/* All IPv4 addresses of this network namespace, in memory that the caller frees. Returns how many
 * or, after report(), -errno. */
int link_addresses(struct address **addresses);

/* A bridge, up, whose hardware address is made of TOKEN. / Is LINK's? */
void link_add_bridge(const char *name, const char *token);
bool link_has_token(const struct link *link, const char *token);

/*
 * Host. A veth pair: the end NAME here, up, a port of BRIDGE; the other end "eth0", born in the
 * network namespace open as NAME_SPACE, which will get ADDRESS. Its hardware address is made of
 * that: so neighbours don't have to learn another one when the next box has it. See veth(4).
 * HAIRPIN: the bridge may send a packet back through the port that it came from.
 */
void link_add_pair(const char *name, const struct link *bridge, int name_space, uint32_t address,
                   bool hairpin);

/* Delete the link NAME. */
void link_delete(const char *name);

/* Set the link NAME up. WITHOUT_IPV6: it makes itself no link-local IPv6 address, the check of
 * which for duplicates takes a second or two. */
void link_up(const char *name, bool without_ipv6);

/* Give the link NAME an address; a default route through GATEWAY. */
void link_add_address(const char *name, uint32_t address, int prefix);
void link_add_default_route(uint32_t gateway);

/* ADDRESS as "172.27.0.1", into TEXT of LINK_ADDRESS_TEXT bytes; returns TEXT. The bits of an
 * address that name the network: PREFIX ones. */
char *link_address_text(uint32_t address, char *text);
uint32_t link_mask(int prefix);

#endif
