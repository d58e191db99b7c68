#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

enum { ROOM = 32768 /* more the kernel never sends at once */, STEPS = 40 };

static _Alignas(struct nlmsghdr) char buffer[ROOM];
static size_t used;            /* bytes of it in use */
static size_t begun, next;     /* where the one being built, or read next, begins */
static size_t nests[8];        /* where the attributes begin that are still open */
static int depth;              /* how many they are */
static uint32_t built, last;   /* messages in the buffer; the last one that is answered */
static char steps[STEPS][128]; /* what each of them is for, in words */
static int netlink = -1;       /* the socket */
static int first_error;        /* the first one, as -errno ... */
static char failure[256];      /* ... and what failed, in words */

static void failed(int number, const char *call, const char *step)
{
    if (first_error != 0)
        return;
    first_error = number;
    snprintf(failure, sizeof(failure), "%s%s", call, step);
}

/* SIZE bytes at the end of the message being built. What lies before them is zero. */
static void *make_room(size_t size)
{
    size_t begin = NLMSG_ALIGN(used);
    struct nlmsghdr *header = (void *)(buffer + begun);

    if (begin + size > sizeof(buffer))
        abort(); /* a bug: no message grows with what the host has */
    memset(buffer + used, 0, begin - used);
    used = begin + size;
    header->nlmsg_len = (uint32_t)(used - begun);
    return buffer + begin;
}

void netlink_put_header(const void *header, size_t size)
{
    memcpy(make_room(size), header, size);
}

void netlink_put(int type, const void *value, size_t size)
{
    struct nlattr *attribute = make_room(NLA_HDRLEN + size);

    attribute->nla_type = (uint16_t)type;
    attribute->nla_len = (uint16_t)(NLA_HDRLEN + size);
    memcpy(attribute + 1, value, size);
}

void netlink_put_string(int type, const char *text)
{
    netlink_put(type, text, strlen(text) + 1);
}

void netlink_put_number(int type, uint32_t number)
{
    netlink_put(type, &number, sizeof(number));
}

void netlink_put_big_endian(int type, uint32_t number)
{
    netlink_put_number(type, htonl(number));
}

int netlink_open_nest(int type)
{
    nests[depth] = NLMSG_ALIGN(used);
    netlink_put(type | NLA_F_NESTED, "", 0);
    return depth++;
}

void netlink_close_nests(int left)
{
    while (depth > left) {
        struct nlattr *attribute = (void *)(buffer + nests[--depth]);
        attribute->nla_len = (uint16_t)(used - nests[depth]);
    }
}

void netlink_message(int type, int flags, const void *header, size_t size, const char *format, ...)
{
    char step[512], *call;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(step, sizeof(step), format, arguments);
    va_end(arguments);
    if ((call = strchr(step, '\t')) != NULL)
        explain("%s", step);
    snprintf(steps[built++], sizeof(steps[0]), "%.127s", call != NULL ? call + 1 : step);
    last = flags != 0 ? built : last;

    netlink_close_nests(0);
    begun = NLMSG_ALIGN(used);
    struct nlmsghdr *begin = make_room(sizeof(*begin));
    *begin = (struct nlmsghdr){.nlmsg_len = sizeof(*begin),
                               .nlmsg_type = (uint16_t)type,
                               .nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST),
                               .nlmsg_seq = built}; /* the kernel knows the sender */
    netlink_put_header(header, size);
}

static void send_messages(int protocol)
{
    netlink_close_nests(0);
    first_error = 0;
    netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (netlink == -1 || send(netlink, buffer, used, 0) == -1)
        failed(-errno, netlink == -1 ? "socket AF_NETLINK: " : "send: ", steps[0]);
    built = 0;
    used = next = 0;
}

const struct nlmsghdr *netlink_next(int protocol)
{
    if (netlink == -1)
        send_messages(protocol);
    for (;;) {
        if (next >= used) {
            ssize_t got = recv(netlink, buffer, sizeof(buffer), MSG_DONTWAIT);
            if (got == -1 && errno != EAGAIN)
                failed(-errno, "recv: answer to ", steps[0]);
            if (got <= 0)
                break;
            used = (size_t)got;
            next = 0;
        }
        const struct nlmsghdr *answer = (void *)(buffer + next);
        next += NLMSG_ALIGN(answer->nlmsg_len);
        if (answer->nlmsg_type != NLMSG_ERROR && answer->nlmsg_type != NLMSG_DONE)
            return answer;
        int number = *(const int *)NLMSG_DATA(answer); /* so begin both */
        if (number != 0)
            failed(number, "", steps[(answer->nlmsg_seq - 1) % STEPS]);
        if (answer->nlmsg_seq == last)
            break;
    }
    used = last = 0;
    close(netlink);
    netlink = -1;
    return NULL;
}

int netlink_end(int expected, int other)
{
    if (first_error == 0 || first_error == expected || first_error == other)
        return first_error;
    if (first_error == -EOPNOTSUPP || first_error == -EPROTONOSUPPORT || first_error == -ENOENT ||
        first_error == -EINVAL)
        hint("if this kernel lacks a part, 'modprobe -a bridge veth nf_tables nft_chain_nat "
             "nft_nat nft_masq nft_fib_ipv4 nft_ct nf_conntrack_netlink' may help");
    errno = -first_error;
    return report("%s", failure);
}

int netlink_send(int protocol, int expected)
{
    (void)netlink_next(protocol); /* errors are all that there can be */
    return netlink_end(expected, 0);
}

size_t netlink_read(const struct nlmsghdr *message, size_t header, void *value, size_t size, ...)
{
    const char *at = (const char *)message + NLMSG_SPACE(header);
    const char *end = (const char *)message + message->nlmsg_len;
    va_list types;

    memset(value, 0, size);
    va_start(types, size);
    for (int type; (type = va_arg(types, int)) != 0 && at < end;) {
        const struct nlattr *attribute = (const void *)at;
        while (at < end && (attribute->nla_type & NLA_TYPE_MASK) != type) {
            /* In data that only looks like attributes, the length may be 0. */
            at = attribute->nla_len < NLA_HDRLEN ? end : at + NLA_ALIGN(attribute->nla_len);
            attribute = (const void *)at;
        }
        if (at < end) {
            end = at + attribute->nla_len;
            at += NLA_HDRLEN;
        }
    }
    va_end(types);
    size_t length = at < end ? (size_t)(end - at) : 0;
    memcpy(value, at, length < size ? length : size);
    return length;
}
