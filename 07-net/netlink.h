/*
 * Netlink: how a program talks to the kernel's network stack. See netlink(7).
 *
 * A message is a header (struct nlmsghdr: length, type, flags, number), a fixed part that belongs
 * to its type, and attributes (struct nlattr: length, type, then the value), which may hold further
 * attributes. Everything begins at a multiple of four bytes.
 *
 * Messages are put one after another into a buffer and go out with one send(2). When it returns,
 * the kernel has answered each with an error number, 0 if all is well. It carries on after an
 * error.
 *
 * The buffer is this process's one; the socket is opened for each send, as the box has another
 * network namespace than the host. All functions run on either side.
 */
#ifndef NETLINK_H
#define NETLINK_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Begin a message of TYPE with the fixed part HEADER. FLAGS beyond NLM_F_REQUEST, see netlink(7);
 * with NLM_F_ACK the kernel answers. FORMAT is that of explain(): the shell command, a tab, the
 * call, which names the message in errors.
 */
void netlink_message(int type, int flags, const void *header, size_t size, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Add an attribute; a number in the order of this machine, or in that of the network; or the fixed
 * part of a message inside a message, just its bytes. */
void netlink_put(int type, const void *value, size_t size);
void netlink_put_string(int type, const char *text);
void netlink_put_number(int type, uint32_t number);
void netlink_put_big_endian(int type, uint32_t number);
void netlink_put_header(const void *header, size_t size);

/* What is put from here on lies inside the attribute TYPE, until all but the outer DEPTH of those
 * that are open are closed, or the message ends. Returns how many were open before. */
int netlink_open_nest(int type);
void netlink_close_nests(int depth);

/* Send what has been built to PROTOCOL: NETLINK_ROUTE, NETLINK_NETFILTER. Returns 0 or -errno of
 * the first message that failed: after report(), but for the error EXPECTED. */
int netlink_send(int protocol, int expected);

/* The same for a question: after netlink_ask(), netlink_next() returns one answer after another,
 * and NULL at the end; netlink_end() is what netlink_send() returns, with one more expected error.
 */
void netlink_ask(int protocol);
const struct nlmsghdr *netlink_next(void);
int netlink_end(int expected, int other);

/*
 * Read an attribute of MESSAGE, whose fixed part has HEADER bytes: SIZE bytes into VALUE, with
 * zeros for what there isn't. Behind SIZE stand the attribute's type and before it those of the
 * ones that it lies in, then 0. Returns its size, 0 if there is none.
 */
size_t netlink_read(const struct nlmsghdr *message, size_t header, void *value, size_t size, ...);

#endif
