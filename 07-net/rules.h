/* What boxes share in nf_tables, and the ports that this one publishes. See nat.h for the rules. */
#ifndef RULES_H
#define RULES_H

#include "bridge.h"

/*
 * Host. Join the table of rules, let the bridge and the links of the host forward, and publish the
 * box's ports. Returns 0 or, after report(), -errno.
 */
int rules_join(struct network *network, struct host *host);

#endif
