/* The bridge on the host that boxes are linked to: joined by its claim, made by the first. */
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

/*
 * Host. Join the others on the bridge, or be the first: then it is made, unless it is the host's
 * own. Fills in the bridge's address and prefix. Returns 0 or, after report(), -errno.
 */
int bridge_join(struct network *network, struct host *host);

/* Host. ADDRESS, which WHAT names, must be one for a host of the bridge's network. Returns 0, or
 * -EINVAL after refuse(). */
int bridge_check_address(const struct network *network, uint32_t address, const char *what);

/* Host. Report what has become of a message about a link, with a hint. Returns ERROR, -errno. */
int bridge_report(const struct host *host, int error);

#endif
