#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

/* The first error counts: what failed is CALL, and STEP. */
static void failed(struct netlink *netlink, int error, const char *call, const char *step)
{
    if (netlink->error != 0)
        return;
    netlink->error = error;
    snprintf(netlink->failure, sizeof(netlink->failure), "%s%s", call, step);
}

int netlink_end(struct netlink *netlink, int expected)
{
    int error = netlink->error;

    netlink->error = 0;
    if (error == 0 || error == expected)
        return error;
    if (error == -EOPNOTSUPP || error == -EPROTONOSUPPORT || error == -ENOENT)
        hint("this kernel lacks a part: 'modprobe -a bridge veth nf_tables nft_chain_nat nft_masq "
             "nft_fib_ipv4 nft_ct' may help");
    errno = -error;
    return report("%s", netlink->failure);
}

int netlink_open(struct netlink *netlink, int protocol)
{
    netlink->count = netlink->depth = netlink->error = 0;
    netlink->length = netlink->next = 0;
    netlink->socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (netlink->socket == -1)
        failed(netlink, -errno, "socket AF_NETLINK, protocol ",
               protocol == NETLINK_ROUTE ? "NETLINK_ROUTE" : "NETLINK_NETFILTER");
    return netlink_end(netlink, 0);
}

void netlink_close(struct netlink *netlink)
{
    if (netlink->socket != -1)
        close(netlink->socket);
    netlink->socket = -1;
}

/* SIZE bytes at the end of the message being built. What lies before them is zero. */
static void *make_room(struct netlink *netlink, size_t size)
{
    size_t begin = NLMSG_ALIGN(netlink->length);
    struct nlmsghdr *message = (void *)(netlink->buffer + netlink->message);

    if (begin + size > sizeof(netlink->buffer))
        abort(); /* a slip of ours: nothing that is sent depends on how much there is */
    memset(netlink->buffer + netlink->length, 0, begin - netlink->length);
    netlink->length = begin + size;
    message->nlmsg_len = (uint32_t)(netlink->length - netlink->message);
    return netlink->buffer + begin;
}

void netlink_put_header(struct netlink *netlink, const void *header, size_t size)
{
    memcpy(make_room(netlink, size), header, size);
}

void netlink_put(struct netlink *netlink, int type, const void *value, size_t size)
{
    struct nlattr *attribute = make_room(netlink, NLA_HDRLEN + size);

    attribute->nla_type = (uint16_t)type;
    attribute->nla_len = (uint16_t)(NLA_HDRLEN + size);
    memcpy(attribute + 1, value, size);
}

void netlink_put_string(struct netlink *netlink, int type, const char *text)
{
    netlink_put(netlink, type, text, strlen(text) + 1);
}

void netlink_put_number(struct netlink *netlink, int type, uint32_t number)
{
    netlink_put(netlink, type, &number, sizeof(number));
}

void netlink_put_big_endian(struct netlink *netlink, int type, uint32_t number)
{
    netlink_put_number(netlink, type, htonl(number));
}

void netlink_open_nest(struct netlink *netlink, int type)
{
    netlink->nests[netlink->depth++] = NLMSG_ALIGN(netlink->length);
    netlink_put(netlink, type | NLA_F_NESTED, "", 0);
}

void netlink_close_nest(struct netlink *netlink)
{
    size_t nest = netlink->nests[--netlink->depth];
    struct nlattr *attribute = (void *)(netlink->buffer + nest);

    attribute->nla_len = (uint16_t)(netlink->length - nest);
}

static void close_all(struct netlink *netlink)
{
    while (netlink->depth > 0)
        netlink_close_nest(netlink);
}

void netlink_message(struct netlink *netlink, int type, int flags, const void *header, size_t size,
                     const char *format, ...)
{
    char step[512], *call;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(step, sizeof(step), format, arguments);
    va_end(arguments);
    if ((call = strchr(step, '\t')) != NULL)
        explain("%s", step);
    snprintf(netlink->steps[netlink->count++], sizeof(netlink->steps[0]), "%.127s",
             call != NULL ? call + 1 : step);

    close_all(netlink);
    netlink->message = NLMSG_ALIGN(netlink->length);
    struct nlmsghdr *message = make_room(netlink, sizeof(*message));
    message->nlmsg_type = (uint16_t)type;
    message->nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST);
    message->nlmsg_seq = (uint32_t)netlink->count;
    message->nlmsg_pid = 0; /* the sender: the kernel knows */
    netlink_put_header(netlink, header, size);
}

void netlink_ask(struct netlink *netlink)
{
    close_all(netlink);
    if (send(netlink->socket, netlink->buffer, netlink->length, 0) == -1)
        failed(netlink, -errno, "send: ", netlink->steps[0]);
    netlink->count = 0;
    netlink->length = netlink->next = 0;
}

const struct nlmsghdr *netlink_next(struct netlink *netlink)
{
    for (;;) {
        if (netlink->next >= netlink->length) {
            ssize_t got =
                recv(netlink->socket, netlink->buffer, sizeof(netlink->buffer), MSG_DONTWAIT);
            if (got == -1 && errno != EAGAIN)
                failed(netlink, -errno, "recv: answer to ", netlink->steps[0]);
            netlink->length = got > 0 ? (size_t)got : 0;
            netlink->next = 0;
            if (got <= 0)
                return NULL;
        }
        const struct nlmsghdr *message = (void *)(netlink->buffer + netlink->next);
        netlink->next += NLMSG_ALIGN(message->nlmsg_len);
        if (message->nlmsg_flags & NLM_F_DUMP_INTR) /* what is listed has changed meanwhile */
            failed(netlink, -EAGAIN, "", netlink->steps[0]);
        if (message->nlmsg_type != NLMSG_ERROR && message->nlmsg_type != NLMSG_DONE)
            return message;
        int answer = *(const int *)NLMSG_DATA(message); /* so begin both */
        if (answer != 0)
            failed(netlink, answer, "", netlink->steps[(message->nlmsg_seq - 1) % NETLINK_STEPS]);
    }
}

int netlink_send(struct netlink *netlink, int expected)
{
    netlink_ask(netlink);
    (void)netlink_next(netlink); /* errors are all that there can be */
    return netlink_end(netlink, expected);
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
            /* In what is not a list of attributes, the length may be 0. */
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
