/*
 * Links, addresses and routes: the messages of rtnetlink(7), and what exists already.
 *
 * The functions that change something only put their message into the buffer; netlink_send() does
 * it. IPv4 addresses are in host byte order here, so that they can be counted and compared.
 */
#ifndef LINK_H
#define LINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "netlink.h"

enum { LINK_ADDRESS_TEXT = 16, LINK_ALIAS = 64 };

struct link {
    int index;
    int master;     /* index of the bridge that it is a port of; 0 if none */
    uint32_t group; /* links of one group can be deleted by one message */
    bool up;
    char name[IF_NAMESIZE];
    char kind[16]; /* "bridge", "veth", …; "" for a piece of hardware */
    char alias[LINK_ALIAS];
};

struct address {
    int link; /* index */
    int prefix;
    uint32_t address;
};

/* All links, or all IPv4 addresses, of this process's network namespace. Memory of link_free(). */
struct links {
    struct link *links;
    int link_count;
    struct address *addresses;
    int address_count;
};

/* Either side. Room for one more in an array of COUNT elements of SIZE bytes, which grows by
 * doubling. NULL if there is no memory; ARRAY is valid then. */
void *link_one_more(void *array, int count, size_t size);

/* Either side. Fill LINKS. Returns 0 or -errno, for netlink_report(); link_free() in either case.
 */
int link_list(struct netlink *netlink, struct links *links);
void link_free(struct links *links);

/* Either side. The link with this index is gone, with its addresses: take it out of the list. */
void link_forget(struct links *links, int index);

/* Either side. A link of the list by its name or index, or NULL. */
struct link *link_named(const struct links *links, const char *name);
struct link *link_numbered(const struct links *links, int index);

/* Host. A bridge, up, in GROUP, which will get ADDRESS. ALIAS is a note of ours: ip-link(8). */
void link_add_bridge(struct netlink *netlink, const char *name, uint32_t address, uint32_t group);
void link_set_alias(struct netlink *netlink, const char *name, const char *alias);

/*
 * Host. A veth pair: the end NAME here, up, a port of BRIDGE and in its group; the other end
 * "eth0", born in the network namespace open as NAMESPACE, which will get ADDRESS. See veth(4).
 * HAIRPIN: the bridge may send a packet back through the port that it came from.
 */
void link_add_pair(struct netlink *netlink, const char *name, const struct link *bridge,
                   int name_space, uint32_t address, bool hairpin);

/* Host. Delete the link NAME. / Delete all links of GROUP, which takes no longer than one. */
void link_delete(struct netlink *netlink, const char *name);
void link_delete_group(struct netlink *netlink, uint32_t group);

/* Either side. Set the link NAME up. WITHOUT_IPV6: it makes itself no link-local IPv6 address, the
 * check of which for duplicates takes a second or two. */
void link_up(struct netlink *netlink, const char *name, bool without_ipv6);

/* Either side. Give the link NAME, or INDEX if it is not 0, an address. */
void link_add_address(struct netlink *netlink, const char *name, int index, uint32_t address,
                      int prefix);

/* Box. The default route goes through GATEWAY. */
void link_add_default_route(struct netlink *netlink, uint32_t gateway);

/* Either side. ADDRESS as "172.27.0.1", into TEXT of LINK_ADDRESS_TEXT bytes; returns TEXT. */
char *link_address_text(uint32_t address, char *text);

/* Either side. The bits of ADDRESS that name the network: PREFIX ones. */
uint32_t link_mask(int prefix);

#endif
