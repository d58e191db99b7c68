/* Somebody else's rule that nothing is forwarded: docker, ufw and firewalld set it. */
#ifndef FORWARD_H
#define FORWARD_H

#include "netlink.h"

/*
 * Host. Look for a chain that drops what is forwarded unless one of its rules accepts it, and that
 * does not speak of BRIDGE. An accept of ours can't overrule it: a packet has to be accepted by all
 * chains. So all that can be done is to say so, and how to mend it. It is no error: the box reaches
 * the host and its neighbours. FILTER is a socket for NETLINK_NETFILTER. Returns 0, or -errno after
 * report() if the chains could not be read.
 */
int forward_warn(struct netlink *filter, const char *bridge);

#endif
