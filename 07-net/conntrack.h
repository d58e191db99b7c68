/* Connections that the kernel knows, and their translations: conntrack(8). */
#ifndef CONNTRACK_H
#define CONNTRACK_H

#include "nat.h"

/*
 * Host. Forget the UDP flows to PORT of this host. The first packet of a flow decides where all
 * others go, and a client that keeps its own port has a flow for as long as it goes on: it would
 * never reach the box that has the port now. Returns 0 or, after report(), -errno.
 */
int conntrack_forget(struct netlink *netlink, const struct publish *port);

#endif
