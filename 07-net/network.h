/*
 * The network of a box: what the user asks for, and doing it on both sides.
 *
 * The order is spawn(CLONE_NEWNET | …); on the host network_attach(), spawn_go(), spawn_wait(),
 * network_release(); in the box spawn_wait_go(), network_configure().
 *
 * What outlives its process has claims, see claim.h: two of the box's own, about its name and its
 * ports, and two that boxes share: about the table of rules with the links that forward, and about
 * the bridge with its share in that. In this order they are undone.
 */
#ifndef NETWORK_H
#define NETWORK_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "claim.h"
#include "nat.h"

enum {
    NETWORK_DNS = 3,  /* more nameservers are not asked: resolv.conf(5) */
    PUBLISH_TEXT = 40 /* for a published port, such as 192.168.100.100:65535:65535/udp */
};

enum { NETWORK_NAME, PORTS, TABLE, BRIDGE, NETWORK_CLAIMS };

/* What the box gets. Addresses in host byte order. */
struct lease {
    uint32_t address, gateway;
    int prefix;
};

struct network {
    /* What is asked for: set by network_start(), then by the options. */
    const char *bridge;
    uint32_t bridge_address; /* 0: the bridge's own, or 172.27.0.1 */
    int bridge_prefix;
    uint32_t address; /* 0: the first free one */
    bool nat;
    bool has_ipv6; /* has this kernel? */
    struct publish ports[NAT_PORTS];
    int port_count;
    uint32_t dns[NETWORK_DNS];
    int dns_count;
    const char *name; /* for 'ip netns'; NULL: none */

    /* What has been done. */
    struct lease *lease; /* in memory that both sides share */
    int name_space;      /* the box's */
    struct claim claims[NETWORK_CLAIMS];
};

/*
 * All but network_configure() run on the host. What is asked for: the defaults, then options, read
 * from TEXT. A mistake ends the tool; WHAT names the option in the error.
 */
void network_start(struct network *network);
void network_read_address(const char *text, const char *what, uint32_t *address);
void network_read_bridge_address(struct network *network, const char *text);
void network_read_publish(struct network *network, const char *text);
void network_read_dns(struct network *network, const char *text);

/* NAME, if it can be one of a link or file, of MOST bytes at most; else the tool ends. */
const char *network_check_name(const char *what, const char *name, size_t most);

/* A published port as network_read_publish() takes it, with the port that was chosen. Returns TEXT.
 */
char *network_write_publish(const struct publish *port, char text[PUBLISH_TEXT]);

/*
 * Link the box, whose process BOX waits in spawn_wait_go(), to the bridge, and set up forwarding,
 * masquerade and, by network_publish(), its ports. Returns 0 or, after report(), -errno; what was
 * done by then is for network_release() to undo.
 */
int network_attach(struct network *network, pid_t box);
int network_publish(struct network *network);

/*
 * Give the network namespace of process BOX its name, as 'ip netns' lists and enters it:
 * ip-netns(8). Ours is a link to /proc/PID/ns/net, which keeps nothing alive, and is made in one
 * step or not at all. As above.
 */
int network_name(struct network *network, pid_t box);

/* Box. Links up, address and default route; of a NETWORK that is NULL, the loopback link alone. An
 * error ends the tool. */
void network_configure(const struct network *network);

/*
 * Undo network_attach(), as far as it came: the rules of the box, and with the last box the bridge
 * and the settings. The pair goes with the box's namespace. While the kernel clears that away, for
 * up to 30 ms, all others wait who ask for links: so it, like the ports, is held until this process
 * ends. Returns 0, or -errno after report().
 */
int network_release(struct network *network);

#endif
