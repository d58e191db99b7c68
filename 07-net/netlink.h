/*
 * Netlink: how a program talks to the kernel's network stack. See netlink(7).
 *
 * A message is a header (struct nlmsghdr: length, type, flags, number), a fixed part that belongs
 * to its type, and attributes (struct nlattr: length, type, then the value), which may hold further
 * attributes. Everything begins at a multiple of four bytes.
 *
 * Messages are put one after another into a buffer and go out with one send(2). The kernel has
 * answered all of them when send returns: an error number for each, 0 if all is well, and often a
 * text besides ("extended ack"). It carries on after an error, so the answers are sorted by number.
 */
#ifndef NETLINK_H
#define NETLINK_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NETLINK_ROOM = 65536, NETLINK_STEPS = 96, NETLINK_STEP = 96 };

struct netlink {
    int socket;
    uint32_t number;   /* of the next message */
    size_t length;     /* bytes of the buffer in use */
    size_t message;    /* where the message being built begins */
    size_t next;       /* netlink_next(): where the next message in the buffer begins */
    bool interrupted;  /* the last list changed while it was told: NLM_F_DUMP_INTR */
    bool overflow;     /* the buffer was too small: netlink_send() will say so */
    int count;         /* messages in the buffer */
    uint32_t first;    /* number of the first of them */
    char failure[256]; /* the first error of the last send, in words */
    char steps[NETLINK_STEPS][NETLINK_STEP]; /* what each message is for, in words */
    _Alignas(struct nlmsghdr) char buffer[NETLINK_ROOM];
};

/* Either side. Open a socket for PROTOCOL (NETLINK_ROUTE, NETLINK_NETFILTER) in this process's
 * network namespace. Returns 0 or -errno. */
int netlink_open(struct netlink *netlink, int protocol);

/* Either side. Close the socket. Does nothing if netlink_open() failed. */
void netlink_close(struct netlink *netlink);

/*
 * Either side. Begin a message of TYPE with the fixed part HEADER. FLAGS beyond NLM_F_REQUEST, see
 * netlink(7); with NLM_F_ACK the kernel answers. FORMAT is that of explain(): the shell command, a
 * tab, the call; what is behind the tab also names the message in errors.
 */
void netlink_message(struct netlink *netlink, int type, int flags, const void *header, size_t size,
                     const char *format, ...) __attribute__((format(printf, 6, 7)));

/* Either side. Add an attribute to the message. Too many are an error of netlink_send(). */
void netlink_put(struct netlink *netlink, int type, const void *value, size_t size);
void netlink_put_string(struct netlink *netlink, int type, const char *text);
void netlink_put_number(struct netlink *netlink, int type, uint32_t number);     /* host order */
void netlink_put_big_endian(struct netlink *netlink, int type, uint32_t number); /* network order */

/* Either side. Add the fixed part of a message inside a message: no attribute, just its bytes. */
void netlink_put_header(struct netlink *netlink, const void *header, size_t size);

/* Either side. What is put between these two lies inside the attribute TYPE. */
size_t netlink_open_nest(struct netlink *netlink, int type);
void netlink_close_nest(struct netlink *netlink, size_t nest);

/*
 * Either side. Send what has been built and look at all answers. Returns 0, or -errno of the first
 * message that failed. The buffer is empty afterwards.
 */
int netlink_send(struct netlink *netlink);

/*
 * Either side. Ask for a list: send the one message built, which has NLM_F_DUMP; returns 0 or
 * -errno. Then netlink_next() hands out one answer after another, and NULL at the end. *ERROR, to
 * be 0 before, is -errno if the list could not be had.
 */
int netlink_ask(struct netlink *netlink);
const struct nlmsghdr *netlink_next(struct netlink *netlink, int *error);

/* Either side. None of these prints an error: report() the last one, ERROR. Returns ERROR. */
int netlink_report(const struct netlink *netlink, int error);

/* Either side. The attribute TYPE of MESSAGE, whose fixed part has SIZE bytes, or of the attribute
 * NEST. NULL if there is none. */
const struct nlattr *netlink_find(const struct nlmsghdr *message, size_t size, int type);
const struct nlattr *netlink_find_in(const struct nlattr *nest, int type);

/* Either side. The value of an attribute: as a number, 0 if ATTRIBUTE is NULL or too short; as a
 * text, cut to fit, empty if NULL. */
uint32_t netlink_number(const struct nlattr *attribute);
void netlink_text(const struct nlattr *attribute, char *text, size_t size);

#endif
