#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

/* Note what could not be done, for netlink_report(). Returns -errno. */
__attribute__((format(printf, 2, 3))) static int failed(struct netlink *netlink, const char *format,
                                                        ...)
{
    int error = -errno;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(netlink->failure, sizeof(netlink->failure), format, arguments);
    va_end(arguments);
    return error;
}

int netlink_open(struct netlink *netlink, int protocol)
{
    static const int on = 1;

    netlink->number = 1;
    netlink->length = netlink->next = 0;
    netlink->count = 0;
    netlink->overflow = false;
    netlink->failure[0] = '\0';
    netlink->socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (netlink->socket == -1)
        return failed(netlink, "socket AF_NETLINK, protocol %s",
                      protocol == NETLINK_ROUTE ? "NETLINK_ROUTE" : "NETLINK_NETFILTER");
    /* Answers in words, and without the whole message that failed. Old kernels do without. */
    setsockopt(netlink->socket, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
    setsockopt(netlink->socket, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
    return 0;
}

void netlink_close(struct netlink *netlink)
{
    if (netlink->socket != -1)
        close(netlink->socket);
    netlink->socket = -1;
}

/* SIZE bytes at the end of the buffer, zeroed, the next multiple of four beginning after them. */
static void *make_room(struct netlink *netlink, size_t size)
{
    size_t begin = NLMSG_ALIGN(netlink->length);

    if (begin + NLMSG_ALIGN(size) > sizeof(netlink->buffer)) {
        netlink->overflow = true;
        return NULL;
    }
    memset(netlink->buffer + netlink->length, 0, begin + NLMSG_ALIGN(size) - netlink->length);
    netlink->length = begin + size;
    return netlink->buffer + begin;
}

/* A message's length leaves out the padding behind its last attribute. */
static void measure_message(struct netlink *netlink)
{
    struct nlmsghdr *message = (void *)(netlink->buffer + netlink->message);
    message->nlmsg_len = (uint32_t)(netlink->length - netlink->message);
}

void netlink_message(struct netlink *netlink, int type, int flags, const void *header, size_t size,
                     const char *format, ...)
{
    char step[512];
    va_list arguments;

    if (netlink->count == 0) {
        netlink->length = 0;
        netlink->first = netlink->number;
    }
    struct nlmsghdr *message = make_room(netlink, sizeof(*message) + size);
    if (message == NULL || netlink->count == NETLINK_STEPS) {
        netlink->overflow = true;
        return;
    }
    netlink->message = (size_t)((char *)message - netlink->buffer);
    message->nlmsg_type = (uint16_t)type;
    message->nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST);
    message->nlmsg_seq = netlink->number++;
    memcpy(NLMSG_DATA(message), header, size);
    measure_message(netlink);

    va_start(arguments, format);
    vsnprintf(step, sizeof(step), format, arguments);
    va_end(arguments);
    const char *call = strchr(step, '\t');
    snprintf(netlink->steps[netlink->count++], NETLINK_STEP, "%.*s", NETLINK_STEP - 1,
             call ? call + 1 : step);
    if (call != NULL)
        explain("%s", step);
}

void netlink_put(struct netlink *netlink, int type, const void *value, size_t size)
{
    struct nlattr *attribute = make_room(netlink, NLA_HDRLEN + size);

    if (attribute == NULL)
        return;
    attribute->nla_type = (uint16_t)type;
    attribute->nla_len = (uint16_t)(NLA_HDRLEN + size);
    if (size > 0)
        memcpy((char *)attribute + NLA_HDRLEN, value, size);
    measure_message(netlink);
}

void netlink_put_header(struct netlink *netlink, const void *header, size_t size)
{
    void *room = make_room(netlink, size);

    if (room == NULL)
        return;
    memcpy(room, header, size);
    measure_message(netlink);
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

size_t netlink_open_nest(struct netlink *netlink, int type)
{
    size_t nest = NLMSG_ALIGN(netlink->length);

    netlink_put(netlink, type | NLA_F_NESTED, NULL, 0);
    return nest;
}

void netlink_close_nest(struct netlink *netlink, size_t nest)
{
    if (netlink->overflow)
        return;
    struct nlattr *attribute = (void *)(netlink->buffer + nest);
    attribute->nla_len = (uint16_t)(netlink->length - nest);
}

/* What the kernel says about an error in its own words, or "". */
static void extended_ack(const struct nlmsghdr *answer, char *text, size_t size)
{
    const struct nlmsgerr *error = NLMSG_DATA(answer);
    size_t fixed = sizeof(*error);

    if (!(answer->nlmsg_flags & NLM_F_CAPPED)) /* then a copy of the whole message follows */
        fixed += NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof(error->msg);
    text[0] = '\0';
    if (answer->nlmsg_flags & NLM_F_ACK_TLVS)
        netlink_text(netlink_find(answer, fixed, NLMSGERR_ATTR_MSG), text, size);
}

/* Put ANSWER's error into FAILURE. The step that it belongs to is known by its number. */
static int take_error(struct netlink *netlink, const struct nlmsghdr *answer)
{
    const struct nlmsgerr *error = NLMSG_DATA(answer);
    uint32_t step = answer->nlmsg_seq - netlink->first;
    char text[128];

    extended_ack(answer, text, sizeof(text));
    snprintf(netlink->failure, sizeof(netlink->failure), "%s%s%s",
             step < NETLINK_STEPS ? netlink->steps[step] : "netlink", text[0] ? ": " : "", text);
    return error->error;
}

/* The answers in the buffer: GOT bytes. Returns how many; the first error goes into *ERROR. */
static int take_answers(struct netlink *netlink, size_t got, int *error)
{
    int answers = 0;

    for (size_t at = 0; at + sizeof(struct nlmsghdr) <= got;) {
        const struct nlmsghdr *answer = (void *)(netlink->buffer + at);
        const struct nlmsgerr *body = NLMSG_DATA(answer);
        if (answer->nlmsg_len < sizeof(*answer) || answer->nlmsg_len > got - at)
            break;
        at += NLMSG_ALIGN(answer->nlmsg_len);
        if (answer->nlmsg_type != NLMSG_ERROR)
            continue;
        answers++;
        if (body->error != 0 && *error == 0)
            *error = take_error(netlink, answer);
    }
    return answers;
}

/* All answers are in the socket's queue by now. The first error is the one that counts. */
static int read_answers(struct netlink *netlink)
{
    int error = 0, answers = 0;
    ssize_t got;

    while ((got = recv(netlink->socket, netlink->buffer, sizeof(netlink->buffer), MSG_DONTWAIT)) >
           0)
        answers += take_answers(netlink, (size_t)got, &error);
    if (error == 0 && (answers == 0 || errno != EAGAIN)) {
        errno = errno == EAGAIN ? EPROTO : errno;
        error = failed(netlink, "recv: answer to %s", netlink->steps[0]);
    }
    return error;
}

int netlink_send(struct netlink *netlink)
{
    int error = 0;

    errno = EMSGSIZE;
    if (netlink->overflow || send(netlink->socket, netlink->buffer, netlink->length, 0) == -1)
        error = failed(netlink, "send: %s", netlink->steps[0]);
    else
        error = read_answers(netlink);
    netlink->count = 0;
    netlink->length = netlink->next = 0;
    netlink->overflow = false;
    return error;
}

int netlink_report(const struct netlink *netlink, int error)
{
    if (error == -EPERM)
        hint("a link to the host takes root on the host; without, there is 'user net --none'");
    errno = -error;
    return report("%s", netlink->failure);
}

int netlink_ask(struct netlink *netlink)
{
    ssize_t sent = send(netlink->socket, netlink->buffer, netlink->length, 0);

    netlink->interrupted = false;
    netlink->count = 0;
    netlink->length = netlink->next = 0;
    return sent == -1 ? failed(netlink, "send: %s", netlink->steps[0]) : 0;
}

const struct nlmsghdr *netlink_next(struct netlink *netlink, int *error)
{
    const struct nlmsghdr *message = (void *)(netlink->buffer + netlink->next);

    if (netlink->next + sizeof(*message) > netlink->length) {
        ssize_t got;
        do
            got = recv(netlink->socket, netlink->buffer, sizeof(netlink->buffer), MSG_TRUNC);
        while (got == -1 && errno == EINTR);
        if (got > (ssize_t)sizeof(netlink->buffer))
            errno = EMSGSIZE;
        if (got < (ssize_t)sizeof(*message) || got > (ssize_t)sizeof(netlink->buffer)) {
            *error = failed(netlink, "recv: %s", netlink->steps[0]);
            return NULL;
        }
        netlink->length = (size_t)got;
        netlink->next = 0;
        message = (void *)netlink->buffer;
    }
    netlink->next += NLMSG_ALIGN(message->nlmsg_len);
    netlink->interrupted |= (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
        errno = -*(const int *)NLMSG_DATA(message); /* both begin with the error number */
        netlink->length = netlink->next = 0;
        if (errno != 0)
            *error = failed(netlink, "%s", netlink->steps[0]);
        return NULL;
    }
    return message;
}

static const struct nlattr *find(const char *at, const char *end, int type)
{
    while (end - at >= NLA_HDRLEN) {
        const struct nlattr *attribute = (const void *)at;
        if (attribute->nla_len < NLA_HDRLEN || attribute->nla_len > end - at)
            return NULL;
        if ((attribute->nla_type & NLA_TYPE_MASK) == type)
            return attribute;
        at += NLA_ALIGN(attribute->nla_len);
    }
    return NULL;
}

const struct nlattr *netlink_find(const struct nlmsghdr *message, size_t size, int type)
{
    const char *begin = (const char *)message;
    return find(begin + NLMSG_SPACE(size), begin + message->nlmsg_len, type);
}

const struct nlattr *netlink_find_in(const struct nlattr *nest, int type)
{
    const char *begin = (const char *)nest;
    return nest == NULL ? NULL : find(begin + NLA_HDRLEN, begin + nest->nla_len, type);
}

uint32_t netlink_number(const struct nlattr *attribute)
{
    uint32_t number = 0;

    if (attribute != NULL && attribute->nla_len >= NLA_HDRLEN + sizeof(number))
        memcpy(&number, (const char *)attribute + NLA_HDRLEN, sizeof(number));
    return number;
}

void netlink_text(const struct nlattr *attribute, char *text, size_t size)
{
    text[0] = '\0';
    if (attribute != NULL)
        snprintf(text, size, "%.*s", (int)(attribute->nla_len - NLA_HDRLEN),
                 (const char *)attribute + NLA_HDRLEN);
}
