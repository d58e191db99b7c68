#include "descriptor.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "../01-chroot/tool.h"

/* Room for the one control message, aligned as the CMSG macros want it. */
union control {
    char bytes[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
    struct cmsghdr header;
};

int descriptors_send(int socket, const int *descriptors, int count)
{
    size_t size = (size_t)count * sizeof(int);
    union control control = {.bytes = ""};
    struct iovec one_byte = {.iov_base = "d", .iov_len = 1};
    struct msghdr message = {.msg_iov = &one_byte,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(size)};

    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(&control.header), descriptors, size);
    if (sendmsg(socket, &message, MSG_NOSIGNAL) == 1)
        return 0;
    if (errno == EPIPE || errno == ECONNRESET)
        return -EPIPE; /* the side that ended has reported why */
    return report("send a descriptor");
}

int descriptors_receive(int socket, int *descriptors, int count)
{
    size_t size = (size_t)count * sizeof(int);
    union control control;
    char byte;
    struct iovec one_byte = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &one_byte,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(size)};
    ssize_t got;

    do
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (got == -1 && errno == EINTR);
    if (got == -1 && errno != ECONNRESET)
        return report("receive a descriptor");
    if (got != 1 || message.msg_controllen < CMSG_LEN(size) ||
        control.header.cmsg_len != CMSG_LEN(size))
        return -EPIPE;
    memcpy(descriptors, CMSG_DATA(&control.header), size);
    return 0;
}
