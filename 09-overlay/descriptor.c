#include "descriptor.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "../01-chroot/tool.h"

/* What goes beside one byte of text: the descriptors, aligned as the kernel wants it. */
union control {
    char bytes[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
    struct cmsghdr header;
};

int descriptors_send(int socket, const int *descriptors, int count)
{
    size_t size = (size_t)count * sizeof(int);
    struct iovec text = {.iov_base = "", .iov_len = 1};
    union control control = {
        .header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(size)}};
    struct msghdr message = {.msg_iov = &text,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(size)};

    memcpy(CMSG_DATA(&control.header), descriptors, size);
    if (sendmsg(socket, &message, MSG_NOSIGNAL) == 1)
        return 0;
    return errno == EPIPE || errno == ECONNRESET ? -EPIPE : report("send a descriptor");
}

int descriptors_receive(int socket, int *descriptors, int count)
{
    size_t size = (size_t)count * sizeof(int);
    char byte;
    struct iovec text = {.iov_base = &byte, .iov_len = 1};
    union control control = {.bytes = ""};
    struct msghdr message = {.msg_iov = &text,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(size)};

    ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (got == -1 && errno != ECONNRESET)
        return report("receive a descriptor");
    if (got != 1 || control.header.cmsg_len != CMSG_LEN(size))
        return -EPIPE;
    memcpy(descriptors, CMSG_DATA(&control.header), size);
    return 0;
}
