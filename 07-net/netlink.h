/*
 * Netlink: how a program talks to the kernel's network stack. netlink(7)
 *
 * A message is a header (struct nlmsghdr: length, type, flags, number), a fixed part that belongs
 * to its type, and attributes (struct nlattr: length, type, then the value), which may hold further
 * attributes. Everything begins at a multiple of four bytes. Messages are put one after another
 * into a buffer and go out with one send(2). When it returns, the kernel has answered each that
 * asks for it (NLM_F_ACK) with an error number, 0 if all is well. It carries on after an error.
 *
 * Functions without a result only put something into the buffer. Those that return an int return 0
 * or, after report(), -errno.
 */
#ifndef NETLINK_H
#define NETLINK_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

/* Begin a message of TYPE with the fixed part HEADER. FLAGS beyond NLM_F_REQUEST: with NLM_F_ACK
 * the kernel answers. FORMAT is that of explain(). */
void netlink_message(int type, int flags, const void *header, size_t size, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Add an attribute: bytes, a string, or a number in this machine's byte order or the network's. For
 * the peer of a veth pair there is one more fixed part. */
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
 * which is not reported if it is EXPECTED. For a question, next() sends it and returns one answer
 * after the other (NULL: no more), and end() the error, which may be one of two. */
int netlink_send(int protocol, int expected);
const struct nlmsghdr *netlink_next(int protocol);
int netlink_end(int expected, int other);

/* Read SIZE bytes of an attribute of MESSAGE, whose fixed part has HEADER bytes. After SIZE come
 * the types of those around it, its own, and 0. Returns its size; what is missing is zero. */
size_t netlink_read(const struct nlmsghdr *message, size_t header, void *value, size_t size, ...);

#endif
