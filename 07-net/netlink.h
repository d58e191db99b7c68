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
 * All functions run on either side.
 */
#ifndef NETLINK_H
#define NETLINK_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

enum { NETLINK_ROOM = 32768 /* more the kernel never sends at once */, NETLINK_STEPS = 32 };

struct netlink {
    int socket;
    int count;                      /* messages in the buffer */
    char steps[NETLINK_STEPS][128]; /* what each of them is for, in words */
    int error;                      /* the first, as -errno ... */
    char failure[256];              /* ... and what failed, in words */
    size_t length;                  /* bytes of the buffer in use */
    size_t message, next;           /* where the one being built, or read next, begins */
    size_t nests[8];                /* where the attributes begin that are still open */
    int depth;
    _Alignas(struct nlmsghdr) char buffer[NETLINK_ROOM];
};

/* A socket for PROTOCOL (NETLINK_ROUTE, NETLINK_NETFILTER) in this process's network namespace.
 * Returns 0 or, after report(), -errno; closing does nothing then. */
int netlink_open(struct netlink *netlink, int protocol);
void netlink_close(struct netlink *netlink);

/*
 * Begin a message of TYPE with the fixed part HEADER. FLAGS beyond NLM_F_REQUEST, see netlink(7);
 * with NLM_F_ACK the kernel answers. FORMAT is that of explain(): the shell command, a tab, the
 * call, which names the message in errors.
 */
void netlink_message(struct netlink *netlink, int type, int flags, const void *header, size_t size,
                     const char *format, ...) __attribute__((format(printf, 6, 7)));

/* Add an attribute; a number in the order of this machine, or in that of the network; or the fixed
 * part of a message inside a message, just its bytes. */
void netlink_put(struct netlink *netlink, int type, const void *value, size_t size);
void netlink_put_string(struct netlink *netlink, int type, const char *text);
void netlink_put_number(struct netlink *netlink, int type, uint32_t number);
void netlink_put_big_endian(struct netlink *netlink, int type, uint32_t number);
void netlink_put_header(struct netlink *netlink, const void *header, size_t size);

/* What is put between these two lies inside the attribute TYPE. The end of a message closes all. */
void netlink_open_nest(struct netlink *netlink, int type);
void netlink_close_nest(struct netlink *netlink);

/* Send what has been built. Returns 0 or -errno of the first message that failed: after report(),
 * but for the error EXPECTED. */
int netlink_send(struct netlink *netlink, int expected);

/* The same for a question: after netlink_ask(), netlink_next() returns one answer after another,
 * and NULL at the end; netlink_end() is what netlink_send() returns. */
void netlink_ask(struct netlink *netlink);
const struct nlmsghdr *netlink_next(struct netlink *netlink);
int netlink_end(struct netlink *netlink, int expected);

/*
 * Read an attribute of MESSAGE, whose fixed part has HEADER bytes: SIZE bytes into VALUE, with
 * zeros for what there isn't. Behind SIZE stand the attribute's type and before it those of the
 * ones that it lies in, then 0. Returns its size, 0 if there is none.
 */
size_t netlink_read(const struct nlmsghdr *message, size_t header, void *value, size_t size, ...);

#endif
