#include "descriptor.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "../01-chroot/tool.h"

/* A message of one byte, and beside it room for the descriptors, aligned as the kernel wants it. */
struct letter {
    char byte;
    struct iovec text;
    struct msghdr message;
    union {
        char bytes[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
        struct cmsghdr header;
    } control;
};

static void prepare(struct letter *letter, int count)
{
    *letter = (struct letter){.text = {.iov_base = &letter->byte, .iov_len = 1}};
    letter->message = (struct msghdr){.msg_iov = &letter->text,
                                      .msg_iovlen = 1,
                                      .msg_control = &letter->control,
                                      .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
}

int descriptors_send(int socket, const int *descriptors, int count)
{
    size_t size = (size_t)count * sizeof(int);
    struct letter letter;

    prepare(&letter, count);
    letter.control.header = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(size)};
    memcpy(CMSG_DATA(&letter.control.header), descriptors, size);
    if (sendmsg(socket, &letter.message, MSG_NOSIGNAL) == 1)
        return 0;
    return errno == EPIPE || errno == ECONNRESET ? -EPIPE : report("send a descriptor");
}

int descriptors_receive(int socket, int *descriptors, int count)
{
    size_t size = (size_t)count * sizeof(int);
    struct letter letter;

    prepare(&letter, count);
    ssize_t got = recvmsg(socket, &letter.message, MSG_CMSG_CLOEXEC);
    if (got == -1 && errno != ECONNRESET)
        return report("receive a descriptor");
    if (got != 1 || letter.control.header.cmsg_len != CMSG_LEN(size))
        return -EPIPE;
    memcpy(descriptors, CMSG_DATA(&letter.control.header), size);
    return 0;
}
