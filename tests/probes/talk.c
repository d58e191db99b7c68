/*
 * talk: both ends of a conversation over the network, for the checks of chapter 7.
 *
 *   talk serve tcp|udp ADDRESS PORT NAME   answer every client with "NAME saw CLIENT", forever
 *   talk ask tcp|udp ADDRESS PORT [FROM]   print the answer; 1 if there is none within a second.
 *                                          FROM is the client's own port
 *   talk dns ADDRESS ANSWER                a nameserver that gives every name the same address
 *   talk router LINK MAC                   announce an IPv6 router to MAC on LINK, once
 *   talk reply ADDRESS                     send an ICMP echo reply that nobody has asked for
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static struct sockaddr_in address_of(const char *text, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

    if (inet_pton(AF_INET, text, &address.sin_addr) != 1)
        exit(2);
    return address;
}

static int open_socket(const char *protocol)
{
    struct timeval second = {.tv_sec = 1};
    int on = 1, file = socket(AF_INET, strcmp(protocol, "tcp") == 0 ? SOCK_STREAM : SOCK_DGRAM, 0);

    setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
    return file;
}

static int listen_at(const char *protocol, const char *where, const char *port)
{
    struct sockaddr_in address = address_of(where, port);
    int file = open_socket(protocol);

    if (bind(file, (struct sockaddr *)&address, sizeof(address)) == -1 ||
        (strcmp(protocol, "tcp") == 0 && listen(file, 64) == -1)) {
        perror("talk: bind");
        exit(1);
    }
    return file;
}

static noreturn void serve(const char *protocol, int file, const char *name)
{
    for (;;) {
        struct sockaddr_in peer;
        socklen_t size = sizeof(peer);
        char text[128], address[INET_ADDRSTRLEN];
        int client = file;

        if (strcmp(protocol, "tcp") == 0)
            client = accept(file, (struct sockaddr *)&peer, &size);
        else if (recvfrom(file, text, sizeof(text), 0, (struct sockaddr *)&peer, &size) == -1)
            continue;
        if (client == -1)
            continue;
        inet_ntop(AF_INET, &peer.sin_addr, address, sizeof(address));
        int length = snprintf(text, sizeof(text), "%s saw %s\n", name, address);
        if (client == file) {
            sendto(file, text, (size_t)length, 0, (struct sockaddr *)&peer, size);
        } else {
            if (write(client, text, (size_t)length) == -1)
                perror("talk: write");
            close(client);
        }
    }
}

static int ask(const char *protocol, const char *where, const char *port, const char *from)
{
    struct sockaddr_in address = address_of(where, port), own = address_of("0.0.0.0", from);
    struct timeval second = {.tv_sec = 1};
    int file = open_socket(protocol);
    char text[128], rest[16];

    setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
    if (bind(file, (struct sockaddr *)&own, sizeof(own)) == -1 ||
        connect(file, (struct sockaddr *)&address, sizeof(address)) == -1) {
        perror("talk: connect");
        return 1;
    }
    if (strcmp(protocol, "udp") == 0 && send(file, "hello", 5, 0) == -1) {
        perror("talk: send");
        return 1;
    }
    ssize_t length = recv(file, text, sizeof(text), 0);
    if (length <= 0) {
        perror("talk: recv");
        return 1;
    }
    /* The first to close keeps the port for a while: let the server do it. */
    if (strcmp(protocol, "tcp") == 0)
        (void)recv(file, rest, sizeof(rest), 0);
    return fwrite(text, 1, (size_t)length, stdout) != (size_t)length;
}

/* RFC 1035: the question comes back with one answer of type A to it, or none for other types. */
static noreturn void answer_names(int file, const char *answer)
{
    unsigned char text[512], record[16] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4};
    struct sockaddr_in peer;

    inet_pton(AF_INET, answer, record + 12);
    for (;;) {
        socklen_t size = sizeof(peer);
        ssize_t length = recvfrom(file, text, 400, 0, (struct sockaddr *)&peer, &size);
        if (length < 17)
            continue;
        ssize_t end = 12;
        while (end < length && text[end] != 0)
            end += text[end] + 1;
        end += 5; /* the name's end, type and class */
        if (end > length)
            continue;
        int is_a = text[end - 3] == 1;
        text[2] = 0x85, text[3] = 0x80;
        text[6] = 0, text[7] = (unsigned char)is_a;
        memset(text + 8, 0, 4);
        if (is_a)
            memcpy(text + end, record, sizeof(record));
        sendto(file, text, (size_t)end + (is_a ? sizeof(record) : 0), 0, (struct sockaddr *)&peer,
               size);
    }
}

/* RFC 4861, 4.2: a router advertisement of fe80::1 to ff02::1, for half an hour. */
static int advertise(const char *link, const char *mac)
{
    static const unsigned char text[56] = {
        [0] = 0x60,  [5] = 16,    [6] = 58,    [7] = 255,  [8] = 0xfe, [9] = 0x80,
        [23] = 1,    [24] = 0xff, [25] = 0x02, [39] = 1,   [40] = 134, [42] = 0x35,
        [43] = 0x27, [44] = 64,   [46] = 0x07, [47] = 0x08};
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_IPV6),
                             .sll_ifindex = (int)if_nametoindex(link),
                             .sll_halen = ETH_ALEN};
    unsigned char *byte = to.sll_addr;
    int file = socket(AF_PACKET, SOCK_DGRAM, 0);

    if (sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", byte, byte + 1, byte + 2, byte + 3, byte + 4,
               byte + 5) != ETH_ALEN ||
        sendto(file, text, sizeof(text), 0, (struct sockaddr *)&to, sizeof(to)) == -1) {
        perror("talk: router");
        return 1;
    }
    return 0;
}

/* RFC 792: all of it is zero, but the sum. */
static int reply(const char *text)
{
    static const unsigned char packet[8] = {[2] = 0xff, [3] = 0xff};
    struct sockaddr_in to = address_of(text, "0");
    int file = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);

    if (sendto(file, packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to)) == -1) {
        perror("talk: reply");
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "serve") == 0)
        serve(argv[2], listen_at(argv[2], argv[3], argv[4]), argv[5]);
    if ((argc == 5 || argc == 6) && strcmp(argv[1], "ask") == 0)
        return ask(argv[2], argv[3], argv[4], argc == 6 ? argv[5] : "0");
    if (argc == 4 && strcmp(argv[1], "dns") == 0)
        answer_names(listen_at("udp", argv[2], "53"), argv[3]);
    if (argc == 4 && strcmp(argv[1], "router") == 0)
        return advertise(argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "reply") == 0)
        return reply(argv[2]);
    fprintf(stderr, "talk: see the head of talk.c\n");
    return 2;
}
