/*
 * Netlink: how a program talks to the kernel's network stack, netlink(7); and by that, links,
 * addresses and routes, rtnetlink(7). Also the settings below /proc/sys/net.
 *
 * A message is a header (struct nlmsghdr: length, type, flags, number), a fixed part that belongs
 * to its type, and attributes (struct nlattr: length, type, then the value), which may hold further
 * attributes. Everything begins at a multiple of four bytes. Messages are put one after another
 * into a buffer and go out with one send(2). When it returns, the kernel has answered each with an
 * error number, 0 if all is well. It carries on after an error.
 *
 * Functions without a result only put something into the buffer. Those that return an int return 0
 * or, after report(), -errno. IPv4 addresses are in host byte order.
 */
#ifndef LINK_H
#define LINK_H

#include <linux/netlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
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

/* Begin a message of TYPE with the fixed part HEADER. FLAGS beyond NLM_F_REQUEST: with NLM_F_ACK
 * the kernel answers. FORMAT is that of explain(). */
void netlink_message(int type, int flags, const void *header, size_t size, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Add an attribute; a number in this machine's order, or in the network's; or just bytes. */
void netlink_put(int type, const void *value, size_t size);
void netlink_put_string(int type, const char *text);
void netlink_put_number(int type, uint32_t number);
void netlink_put_big_endian(int type, uint32_t number);
void netlink_put_header(const void *header, size_t size);

/* Open an attribute around those that follow; returns how many are open already. Close all but the
 * outer DEPTH, as the end of the message closes all. */
int netlink_open_nest(int type);
void netlink_close_nests(int depth);

/* Send what has been built to PROTOCOL: NETLINK_ROUTE, NETLINK_NETFILTER. Returns the first error,
 * which is not reported if it is EXPECTED. A question in three parts: ask, next for each answer
 * (NULL: no more), end for the error. */
int netlink_send(int protocol, int expected);
void netlink_ask(int protocol);
const struct nlmsghdr *netlink_next(void);
int netlink_end(int expected, int other);

/* Read SIZE bytes of an attribute of MESSAGE, whose fixed part has HEADER bytes. After SIZE come
 * the types of those around it, its own, and 0. Returns its size; what is missing is zero. */
size_t netlink_read(const struct nlmsghdr *message, size_t header, void *value, size_t size, ...);

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
