/*
 * nf_tables: what the host does to the packets of a box. See nft(8).
 *
 * Every box has a table of its own, named after its link, so that all its rules go in one message:
 *
 *   table ip ten-steps-box-ac1b0002 {
 *       comment "ip_forward=0"                                  what to restore in the end
 *       chain postrouting { type nat hook postrouting …         masquerade
 *       chain prerouting  { type nat hook prerouting …          published ports: from other hosts
 *       chain output      { type nat hook output …              published ports: from this host
 *       chain forward     { type filter hook forward …          only published ports come in
 *       chain martians    { type filter hook prerouting …       127.0.0.1 stays this host's
 *   }
 *
 * A batch of messages takes effect as a whole or not at all.
 */
#ifndef NAT_H
#define NAT_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "netlink.h"

/* A table's comment has at most 128 bytes for nft(8). */
enum { NAT_TABLE = 40, NAT_NOTE = 129, NAT_PORTS = 32 };
#define NAT_PREFIX "ten-steps-" /* and then the name of the box's link */

/* A port of this host that leads into the box. */
struct publish {
    uint32_t address; /* of this host; 0 means all of them but 127.0.0.0/8 */
    uint16_t port, box_port;
    int protocol; /* IPPROTO_TCP or IPPROTO_UDP */
    int socket;   /* holds the port on this host while the box lives; -1 if none */
    bool chosen;  /* by the kernel, a free one; 0 until then */
};

/* What the rules of a box are made of. Addresses in host byte order. */
struct nat {
    char table[NAT_TABLE];
    char note[NAT_NOTE]; /* the table's comment */
    const char *bridge;
    uint32_t network; /* of the bridge */
    int prefix;
    uint32_t address; /* of the box */
    bool masquerade;
    const struct publish *ports;
    int port_count;
};

/* The tables of ours that exist. */
struct nat_tables {
    int count;
    struct nat_table {
        char name[NAT_TABLE];
        char note[NAT_NOTE];
    } * tables;
};

/* Host. report() an error of nf_tables, with a hint if the kernel lacks it. Returns ERROR. */
int nat_report(const struct netlink *netlink, int error);

/* Host. Make the table of a box. Returns 0 or, after report(), -errno: then nothing was made. */
int nat_add(struct netlink *netlink, const struct nat *nat);

/* Host. Delete a table and all in it. As nat_add(). */
int nat_delete(struct netlink *netlink, const char *table);

/* Host. Fill TABLES with those of ours. Returns 0 or -errno, for nat_report(); nat_free() in either
 * case. */
int nat_list(struct netlink *netlink, struct nat_tables *tables);
void nat_free(struct nat_tables *tables);

#endif
