/*
 * The host's side of a box's link: the bridge, which is joined by its claim and made by the first
 * box, and the rules of nf_tables, with the ports that this box publishes. All functions run on the
 * host, and return 0 or, after report(), -errno.
 */
#ifndef BRIDGE_H
#define BRIDGE_H

#include "link.h"
#include "network.h"

/* The sockets to the kernel, and what it has answered. */
struct host {
    struct netlink route, filter;
    struct address *addresses; /* of all links */
    int address_count;
    struct link bridge;
};

/* Join the others on the bridge, or be the first: then it is made, unless it is the host's own.
 * Fills in the bridge's address and prefix. */
int bridge_join(struct network *network, struct host *host);

/* ADDRESS, which WHAT names, must be one for a host of the bridge's network. */
int bridge_check_address(const struct network *network, uint32_t address, const char *what);

/* Join the table of rules, let the bridge and the links of the host forward, and publish the box's
 * ports, all of them. */
int rules_join(struct network *network, struct host *host);
int publish_ports(struct network *network, struct host *host);

#endif
