/*
 * nf_tables: what the host does to the packets of all boxes. See nft(8).
 *
 * One table for the network namespace. Its rules are always the same; what differs from box to box
 * is in its sets and its map:
 *
 *   table ip ten-steps {
 *       comment "0123456789abcdef"                      the token of the claim on it
 *       set bridges  { type ifname }                    the boxes' bridges
 *       set same     { type ifname . ifname }           and each of them twice
 *       set uplinks  { type ifname }                    links that forward because of us
 *       map ports    { address . protocol . port : address . port }
 *       chain martians    { filter, prerouting -300 }   127.0.0.1 stays this host's own
 *       chain prerouting  { nat, prerouting -100 }      published ports, for other hosts
 *       chain output      { nat, output -100 }          published ports, for this host
 *       chain forward     { filter, forward 0 }         boxes are reached by those ports alone
 *       chain postrouting { nat, postrouting 100 }      masquerade
 *   }
 *
 * So a packet costs the same with one box as with five hundred. A batch of messages takes effect as
 * a whole or not at all. All functions run on the host; those that change something return 0 or,
 * after report(), -errno.
 */
#ifndef NAT_H
#define NAT_H

#include <stdbool.h>
#include <stdint.h>

#include "netlink.h"

enum { NAT_PORTS = 32 };

/* A port of this host that leads into the box. Addresses in host byte order. */
struct publish {
    uint32_t address; /* of this host; 0 means all of them */
    uint16_t port, box_port;
    int protocol; /* IPPROTO_TCP or IPPROTO_UDP */
    int socket;   /* holds the port on this host */
    bool chosen;  /* by the kernel, a free one; 0 until then */
};

/* Make the table, with TOKEN in its comment. */
int nat_add_table(const char *token);

/*
 * Add an element to a set or to the map, with TOKEN in its comment. KEY and DATA are as nft(8) has
 * them, parts with " . " between: "br0", "0.0.0.0 . tcp . 8080" and "172.27.0.2 . 80"; DATA is NULL
 * for a set. -EEXIST, without report(), if it is there already.
 */
int nat_add(const char *set, const char *key, const char *data, const char *token);

/* Is an element there, or if SET is NULL the table, and does it bear TOKEN? 1 if so, else 0; and
 * remove it if so. */
int nat_has(const char *set, const char *key, const char *token);
int nat_remove(const char *set, const char *key, const char *token);

#endif
