/*
 * Netlink: how a program talks to the kernel's network stack. netlink(7), rtnetlink(7)
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
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Begin a message of TYPE with the fixed part HEADER. FLAGS beyond NLM_F_REQUEST: with NLM_F_ACK
 * the kernel answers. FORMAT is that of explain(). */
void netlink_message(int type, int flags, const void *header, size_t size, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Add an attribute: bytes, a string, or a number in the network's byte order. */
void netlink_put(int type, const void *value, size_t size);
void netlink_put_string(int type, const char *text);
void netlink_put_big_endian(int type, uint32_t number);

/* Open an attribute around those that follow; returns how many are open already. Close all but the
 * outer DEPTH, as the end of the message closes all. */
int netlink_open_nest(int type);
void netlink_close_nests(int depth);

/* Send what has been built to PROTOCOL: NETLINK_ROUTE, NETLINK_NETFILTER. Returns the first error,
 * which is not reported if it is EXPECTED. For a question, next() sends it and returns one answer
 * after the other (NULL: no more), and end() the error, which may be one of two. */
int netlink_send(int protocol, int expected);
const struct nlmsghdr *netlink_next(int protocol);
int netlink_end(int expected, int other);

/* Read SIZE bytes of an attribute of MESSAGE, whose fixed part has HEADER bytes. After SIZE come
 * the types of those around it, its own, and 0. Returns its size; what is missing is zero. */
size_t netlink_read(const struct nlmsghdr *message, size_t header, void *value, size_t size, ...);

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
 * have known the last box there. */
void link_add_pair(const char *name, const char *bridge, int name_space, uint32_t address);

/* Set the link NAME up, WITHOUT_IPV6 address of its own. Give it one. Add a default route. */
void link_up(const char *name, bool without_ipv6);
void link_add_address(const char *name, uint32_t address, int prefix);
void link_add_default_route(uint32_t gateway);

/* ADDRESS as "172.27.0.1", until the second call after this. The mask of PREFIX bits. */
const char *link_address_text(uint32_t address);
uint32_t link_mask(int prefix);

/* The first letter of FAMILY/conf/LINK/SETTING, or '\0'; LINK may be "all". Set it to VALUE. */
char setting_read(const char *family, const char *link, const char *setting);
int setting_set(const char *family, const char *link, const char *setting, char value);

#endif
