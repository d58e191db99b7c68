/*
 * The network of a box: what the user asks for, and doing it on both sides. IPv4 addresses are in
 * host byte order.
 */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "claim.h"

struct root;

enum {
    NAT_PORTS = 32, /* that a box can publish */
    RESOLV_TEXT = 4096,
    NETWORK_DNS = 3 /* more nameservers are not asked: resolv.conf(5) */
};

/* Claims, in the order of undoing: on the box's name and ports; on the table of rules with the
 * links that forward; on the bridge with its share in that. */
enum { OWN, TABLE, BRIDGE, NETWORK_CLAIMS };

/* A port of this host that leads into the box. */
struct publish {
    uint32_t address; /* of this host; 0 means all of them */
    uint16_t port, box_port;
    const char *protocol; /* "tcp" or "udp" */
    bool chosen;          /* by the kernel, a free one; 0 until then */
    int socket;           /* holds the port on this host */
    char text[40];        /* and then as options say it: 192.168.1.1:8080:80/udp */
};

/* What the box gets, and before that what is asked for. */
struct lease {
    uint32_t address; /* 0: a free one */
    uint32_t gateway; /* the bridge; 0: as it is, or 172.27.0.1 */
    int prefix;       /* 0: as it is, or 16 */
};

struct network {
    const char *bridge;  /* NULL: none, and so no link */
    struct lease *lease; /* in memory that both sides share */
    bool nat;
    struct publish ports[NAT_PORTS];
    int port_count;
    uint32_t dns[NETWORK_DNS];
    int dns_count;
    const char *name; /* for 'ip netns'; NULL: none */
    struct claim claims[NETWORK_CLAIMS];
};

/* Host. The defaults, then options, read from TEXT. A mistake ends the tool; WHAT names the option
 * in the error. A NAME is one for a link or file, of MAX bytes at most. */
void network_start(struct network *network);
void network_read_address(const char *text, const char *what, uint32_t *address);
void network_read_bridge_address(struct network *network, const char *text);
void network_read_publish(struct network *network, const char *text);
void network_read_dns(struct network *network, const char *text);
const char *network_check_name(const char *what, const char *name, size_t max);

/* Host. Link the box, whose process BOX waits in spawn_wait_go(), to the bridge, and set up
 * forwarding, masquerade and, by network_publish(), its ports; name it for 'ip netns'. Return 0 or,
 * after report(), -errno. If the box has ended already, -ENOENT: spawn_wait() has its status. */
int network_attach(struct network *network, pid_t box);
int network_publish(struct network *network);

/* Box, after spawn_wait_go(). Links up, address and default route; if NETWORK is NULL, loopback
 * alone. An error ends the tool. */
void network_configure(const struct network *network);

/* Host. Undo that, as far as it came; not 0 if something is left. The pair goes with the box's
 * namespace, which this process keeps until it ends: while the kernel clears one away, everyone who
 * asks for links waits. */
int network_release(struct network *network);

/* Host. What the box's /etc/resolv.conf is to say: COUNT nameservers at DNS, or the host's, or
 * those that its systemd-resolved, out of a box's reach, asks. False if the host's own will do. */
bool resolv_compose(const uint32_t *dns, int count, char *text);

/* Box, after mounts_make_private(). An error ends the tool. Let the file at PATH in ROOT say TEXT,
 * by a file in MEMORY, a tmpfs, which is bound over it and then unlinked; or /etc/resolv.conf. */
void resolv_cover(const struct root *root, const char *path, const char *text,
                  const struct root *memory);
void resolv_bind(const char *text);

/* Box, as above. /sys shows the links of the namespace in which it was mounted: mount a new one on
 * it, and the cgroup tree in that again. */
void sys_mount(void);

#endif
