/*
 * A rule of nf_tables: a list of expressions, done one after another until one does not match. The
 * kernel's side of nft(8), see linux/netfilter/nf_tables.h. A value is loaded into a register, and
 * the next expression looks at it there.
 *
 * All functions put into a message that is being built; they run on the host and can't fail.
 */
#ifndef RULE_H
#define RULE_H

#include <netinet/in.h> /* libc's first: the kernel's own headers then leave out the same */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "netlink.h"

/* netlink_message() for nf_tables: its own types (NFT_MSG_*) and fixed part; IPv4. */
#define nft_message(netlink, type, flags, ...)                                                     \
    netlink_message(netlink, NFNL_SUBSYS_NFTABLES << 8 | (type), flags,                            \
                    &(struct nfgenmsg){.nfgen_family = NFPROTO_IPV4}, sizeof(struct nfgenmsg),     \
                    __VA_ARGS__)

struct rule {
    struct netlink *netlink;
    size_t list, element, data; /* nests that are open */
};

/* Where fields lie: in the IPv4 header (RFC 791), and the port in that of TCP and UDP. */
enum { SOURCE_ADDRESS = 12, DESTINATION_ADDRESS = 16, DESTINATION_PORT = 2 };

/* A new rule at the end of CHAIN. RULE says in nft's language what will be built. */
struct rule rule_begin(struct netlink *netlink, const char *table, const char *chain,
                       const char *rule);
void rule_end(struct rule *rule);

/*
 * The sixteen bytes of register 1 are also four registers of four bytes each. What is looked up in
 * a set or map with a key of several parts lies in them, part after part.
 */
enum { FIRST = NFT_REG_1, SECOND = NFT_REG32_01, THIRD = NFT_REG32_02, NEXT_NAME = NFT_REG_2 };

/* Load into register INTO: LENGTH bytes at OFFSET of the HEADER NFT_PAYLOAD_*; what is known of the
 * packet, NFT_META_*; into the first one, whether its destination is this host's own (RTN_LOCAL).
 */
void rule_load_payload(struct rule *rule, int into, int header, uint32_t offset, uint32_t length);
void rule_load_meta(struct rule *rule, int into, int key);
void rule_load_destination_kind(struct rule *rule);

/* Keep only the bits of MASK of the four bytes loaded into the first register. */
void rule_mask(struct rule *rule, uint32_t mask);

/* Go on only if what is loaded is in SET, or if it is INVERTED, if not. */
void rule_look_up(struct rule *rule, const char *set, bool inverted);
void rule_match_link_in(struct rule *rule, int key, const char *set, bool inverted);

/* Go on only if the value loaded is the same (NFT_CMP_EQ) or is not (NFT_CMP_NEQ). */
void rule_match(struct rule *rule, int comparison, const void *value, size_t size);

/* Both at once: the first PREFIX bits of the address at FIELD; the link's name, KEY being
 * NFT_META_IIFNAME or NFT_META_OIFNAME. */
void rule_match_address(struct rule *rule, uint32_t field, int comparison, uint32_t address,
                        int prefix);
void rule_match_link(struct rule *rule, int key, int comparison, const char *name);

/* One of BITS is set in what the connection's KEY (NFT_CT_*) says (NFT_CMP_NEQ), or none is
 * (NFT_CMP_EQ). */
void rule_match_connection(struct rule *rule, int key, uint32_t bits, int comparison);

/* What to do in the end. */
void rule_masquerade(struct rule *rule);
void rule_drop(struct rule *rule);

/* The destination becomes what MAP has for the key loaded: address and port. Without one, go on. */
void rule_dnat(struct rule *rule, const char *map);

#endif
