#include "nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../01-chroot/tool.h"
#include "claim.h"

#define TABLE "ten-steps"

/* netlink_message() for nf_tables: its own types (NFT_MSG_*) and fixed part; IPv4. */
#define nft_message(type, flags, ...)                                                              \
    netlink_message(NFNL_SUBSYS_NFTABLES << 8 | (type), flags,                                     \
                    &(struct nfgenmsg){.nfgen_family = NFPROTO_IPV4}, sizeof(struct nfgenmsg),     \
                    __VA_ARGS__)

static void batch(int type)
{
    struct nfgenmsg header = {.nfgen_family = AF_UNSPEC, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
    netlink_message(type, 0, &header, sizeof(header), "nf_tables batch");
}

static void put_data(int type, const void *value, size_t size)
{
    int outer = netlink_open_nest(type);

    netlink_put(NFTA_DATA_VALUE, value, size);
    netlink_close_nests(outer);
}

/* As nft(8) keeps a comment in the user data of a table or an element: type, size and text. Here
 * the text is a claim's token. */
enum { COMMENT_TEXT = 2, COMMENT = COMMENT_TEXT + CLAIM_TOKEN };

static void put_comment(int type, const char *token)
{
    char comment[COMMENT] = {0, CLAIM_TOKEN};

    memcpy(comment + COMMENT_TEXT, token, CLAIM_TOKEN);
    netlink_put(type, comment, sizeof(comment));
}

enum { ADD = NLM_F_CREATE | NLM_F_ACK };

/* Types of keys as nft(8) numbers them; those of several parts have six bits for each. */
enum { ADDRESS = 7, PROTOCOL = 12, PORT = 13, LINK = 41, BITS = 6 };

/* Where fields lie: in the IPv4 header (RFC 791), and the port in that of TCP and UDP. */
enum { SOURCE_ADDRESS = 12, DESTINATION_ADDRESS = 16, DESTINATION_PORT = 2 };

/*
 * The sixteen bytes of register 1 are also four registers of four bytes each. What is looked up in
 * a set or map with a key of several parts lies in them, part after part.
 */
enum { FIRST = NFT_REG_1, SECOND = NFT_REG32_01, THIRD = NFT_REG32_02, NEXT_NAME = NFT_REG_2 };

/* Begin the next expression: its attributes are pairs of a type and a number, up to a type of 0. */
static void expression(const char *name, ...)
{
    va_list numbers;

    netlink_close_nests(1); /* the one before; what stays open is the rule's list of them */
    netlink_open_nest(NFTA_LIST_ELEM);
    netlink_put_string(NFTA_EXPR_NAME, name);
    netlink_open_nest(NFTA_EXPR_DATA);
    va_start(numbers, name);
    for (int type; (type = va_arg(numbers, int)) != 0;)
        netlink_put_big_endian(type, va_arg(numbers, unsigned));
    va_end(numbers);
}

/* Load what the kernel knows of the packet, NFT_META_*, into the register INTO. */
static void load_meta(int into, int key)
{
    expression("meta", NFTA_META_DREG, into, NFTA_META_KEY, key, 0);
}

/* Load LENGTH bytes of the packet, at OFFSET of its HEADER, NFT_PAYLOAD_*. */
static void load(int into, int header, int offset, int length)
{
    expression("payload", NFTA_PAYLOAD_DREG, into, NFTA_PAYLOAD_BASE, header, NFTA_PAYLOAD_OFFSET,
               offset, NFTA_PAYLOAD_LEN, length, 0);
}

/* Keep only the bits of MASK of four bytes in the first register. */
static void mask(uint32_t bits)
{
    expression("bitwise", NFTA_BITWISE_SREG, FIRST, NFTA_BITWISE_DREG, FIRST, NFTA_BITWISE_LEN,
               sizeof(bits), 0);
    put_data(NFTA_BITWISE_MASK, &bits, sizeof(bits));
    put_data(NFTA_BITWISE_XOR, &(uint32_t){0}, sizeof(bits));
}

/* Go on only if what the first register holds is VALUE (NFT_CMP_EQ), or is not (NFT_CMP_NEQ). */
static void compare(int how, const void *value, size_t size)
{
    expression("cmp", NFTA_CMP_SREG, FIRST, NFTA_CMP_OP, how, 0);
    put_data(NFTA_CMP_DATA, value, size);
}

/* Go on only if what the first register, and those behind it, hold is in SET; or not, with
 * NFT_LOOKUP_F_INV for HOW. */
static void look_up(const char *set, int how)
{
    expression("lookup", NFTA_LOOKUP_SREG, FIRST, NFTA_LOOKUP_FLAGS, how, 0);
    netlink_put_string(NFTA_LOOKUP_SET, set);
}

/* The link that the packet comes in by or leaves by, NFT_META_IIFNAME or OIFNAME, is in SET. */
static void match_link(int key, const char *set)
{
    load_meta(FIRST, key);
    look_up(set, 0);
}

/* One of BITS is set in what the connection's KEY (NFT_CT_*) says, or none: NFT_CMP_NEQ, _EQ. */
static void match_connection(int key, uint32_t bits, int how)
{
    expression("ct", NFTA_CT_DREG, FIRST, NFTA_CT_KEY, key, 0);
    mask(bits);
    compare(how, &(uint32_t){0}, sizeof(uint32_t));
}

static void drop(void)
{
    expression("immediate", NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT, 0);
    netlink_open_nest(NFTA_IMMEDIATE_DATA);
    netlink_open_nest(NFTA_DATA_VERDICT);
    netlink_put_big_endian(NFTA_VERDICT_CODE, NF_DROP);
}

/* A set of keys of SIZE bytes, or if TYPE has a colon a map, to an address and a port. */
static void add_set(const char *name, const char *type, int key, int size)
{
    bool is_map = strchr(type, ':') != NULL;

    nft_message(NFT_MSG_NEWSET, ADD, "nft add %s ip " TABLE " %s '{ type %s; }'\tNFT_MSG_NEWSET %s",
                is_map ? "map" : "set", name, type, name);
    netlink_put_string(NFTA_SET_TABLE, TABLE);
    netlink_put_string(NFTA_SET_NAME, name);
    netlink_put_big_endian(NFTA_SET_ID, (uint32_t)key);
    netlink_put_big_endian(NFTA_SET_KEY_TYPE, (uint32_t)key);
    netlink_put_big_endian(NFTA_SET_KEY_LEN, (uint32_t)size);
    if (!is_map) { /* so nft(8) knows that names are not numbers in network order */
        netlink_put(NFTA_SET_USERDATA, (uint8_t[]){0, 4, 1, 0, 0, 0}, 6);
        return;
    }
    netlink_put_big_endian(NFTA_SET_FLAGS, NFT_SET_MAP);
    netlink_put_big_endian(NFTA_SET_DATA_TYPE, ADDRESS << BITS | PORT);
    netlink_put_big_endian(NFTA_SET_DATA_LEN, 2 * sizeof(uint32_t));
}

static void add_chain(const char *name, const char *type, const char *hook, int hook_number,
                      int priority)
{
    nft_message(NFT_MSG_NEWCHAIN, ADD,
                "nft add chain ip " TABLE " %s '{ type %s hook %s priority %d; }'"
                "\tNFT_MSG_NEWCHAIN %s",
                name, type, hook, priority, name);
    netlink_put_string(NFTA_CHAIN_TABLE, TABLE);
    netlink_put_string(NFTA_CHAIN_NAME, name);
    netlink_put_string(NFTA_CHAIN_TYPE, type);
    netlink_open_nest(NFTA_CHAIN_HOOK);
    netlink_put_big_endian(NFTA_HOOK_HOOKNUM, (uint32_t)hook_number);
    netlink_put_big_endian(NFTA_HOOK_PRIORITY, (uint32_t)priority);
}

/* A new rule at the end of CHAIN; its expressions follow. RULE says it in nft's
 * language. */
static void begin_rule(const char *chain, const char *rule)
{
    nft_message(NFT_MSG_NEWRULE, NLM_F_APPEND | ADD,
                "nft add rule ip " TABLE " %s %s\tNFT_MSG_NEWRULE %s", chain, rule, chain);
    netlink_put_string(NFTA_RULE_TABLE, TABLE);
    netlink_put_string(NFTA_RULE_CHAIN, chain);
    netlink_open_nest(NFTA_RULE_EXPRESSIONS);
}

/* Go on only if the address in this FIELD is of 127.0.0.0/8. */
static void match_loopback(int field)
{
    load(FIRST, NFT_PAYLOAD_NETWORK_HEADER, field, 1);
    compare(NFT_CMP_EQ, (uint8_t[]){127}, 1);
}

/* Go on only if the packet's address, NFTA_FIB_F_SADDR or DADDR, is one of this host; or is not. */
static void match_local(int address, int how)
{
    expression("fib", NFTA_FIB_DREG, FIRST, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE,
               NFTA_FIB_FLAGS, address, 0);
    compare(how, &(uint32_t){RTN_LOCAL}, sizeof(uint32_t));
}

/*
 * For a published port at 127.0.0.1 the bridge takes packets from and to 127.0.0.0/8
 * (route_localnet), which the host needs for its own. Nobody else may reach the host's local
 * services, or a port published for it alone, by that (CVE-2020-8558).
 */
static void add_martian(int field, const char *rule)
{
    begin_rule("martians", rule);
    load_meta(FIRST, NFT_META_IIFNAME);
    compare(NFT_CMP_NEQ, (char[IF_NAMESIZE]){"lo"}, IF_NAMESIZE);
    match_loopback(field);
    drop();
}

/* A packet for a published port is sent on to the box: one for the very address that the port is
 * published at, then one for any address of this host, 0.0.0.0 in the map. */
static void add_publish(const char *chain, bool any_address)
{
    begin_rule(chain, any_address
                          ? "fib daddr type local dnat ip to ip daddr \\& 0.0.0.0 . meta l4proto "
                            ". th dport map @ports"
                          : "dnat ip to ip daddr . meta l4proto . th dport map @ports");
    if (any_address)
        match_local(NFTA_FIB_F_DADDR, NFT_CMP_EQ);
    /* EXERCISE 7.4: what "ports" has for the packet's destination address (none with ANY_ADDRESS),
       protocol and port becomes its destination. nft(8), linux/netfilter/nf_tables.h */
    load(FIRST, NFT_PAYLOAD_NETWORK_HEADER, DESTINATION_ADDRESS, 4);
    if (any_address)
        mask(0);
    load_meta(SECOND, NFT_META_L4PROTO);
    load(THIRD, NFT_PAYLOAD_TRANSPORT_HEADER, DESTINATION_PORT, 2);
    expression("lookup", NFTA_LOOKUP_SREG, FIRST, NFTA_LOOKUP_DREG, FIRST, 0);
    netlink_put_string(NFTA_LOOKUP_SET, "ports");
    expression("nat", NFTA_NAT_TYPE, NFT_NAT_DNAT, NFTA_NAT_FAMILY, NFPROTO_IPV4,
               NFTA_NAT_REG_ADDR_MIN, FIRST, NFTA_NAT_REG_PROTO_MIN, SECOND, 0);
    /* END */
}

/*
 * Boxes are reached by their published ports, and from their own bridge, and in no other way. Links
 * that forward only because a box needs it do not make the host a router between them.
 */
static void add_forward(void)
{
    add_chain("forward", "filter", "forward", NF_INET_FORWARD, 0);
    begin_rule("forward",
               "oifname @bridges iifname . oifname != @same ct state new ct status \\& dnat == 0 "
               "drop");
    match_link(NFT_META_OIFNAME, "bridges");
    load_meta(FIRST, NFT_META_IIFNAME);
    load_meta(NEXT_NAME, NFT_META_OIFNAME);
    look_up("same", NFT_LOOKUP_F_INV);
    match_connection(NFT_CT_STATE, NF_CT_STATE_BIT(IP_CT_NEW), NFT_CMP_NEQ);
    match_connection(NFT_CT_STATUS, IPS_DST_NAT, NFT_CMP_EQ);
    drop();
    begin_rule("forward", "iifname @uplinks oifname @uplinks ct state new drop");
    match_link(NFT_META_IIFNAME, "uplinks");
    match_link(NFT_META_OIFNAME, "uplinks");
    match_connection(NFT_CT_STATE, NF_CT_STATE_BIT(IP_CT_NEW), NFT_CMP_NEQ);
    drop();
}

static void masquerade(void)
{
    expression("masq", 0);
}

/*
 * What comes from a box and is forwarded bears the host's address. So does what reaches a published
 * port from this host's 127.0.0.1, or from a neighbour on the box's bridge, whose packet may be
 * bridged alone (then no link here is the one that it came in by): the box could not answer the
 * first, and would answer the other directly, from an address that it never called.
 */
static void add_masquerade(void)
{
    add_chain("postrouting", "nat", "postrouting", NF_INET_POST_ROUTING, 100);
    /* EXERCISE 7.3: two rules: for what has come in by a link of the set "bridges"; and for what
       goes to a published port, out by such a link, from 127.0.0.0/8. nft(8) */
    begin_rule("postrouting", "iifname @bridges masquerade");
    match_link(NFT_META_IIFNAME, "bridges");
    masquerade();
    begin_rule("postrouting", "oifname @bridges ct status dnat ip saddr 127.0.0.0/8 masquerade");
    match_link(NFT_META_OIFNAME, "bridges");
    match_connection(NFT_CT_STATUS, IPS_DST_NAT, NFT_CMP_NEQ);
    match_loopback(SOURCE_ADDRESS);
    masquerade();
    /* END */
    begin_rule("postrouting",
               "oifname @bridges ct status dnat iif 0 fib saddr type != local masquerade");
    match_link(NFT_META_OIFNAME, "bridges");
    match_connection(NFT_CT_STATUS, IPS_DST_NAT, NFT_CMP_NEQ);
    load_meta(FIRST, NFT_META_IIF);
    compare(NFT_CMP_EQ, &(uint32_t){0}, sizeof(uint32_t));
    match_local(NFTA_FIB_F_SADDR, NFT_CMP_NEQ);
    masquerade();
}

int nat_add_table(const char *token)
{
    batch(NFNL_MSG_BATCH_BEGIN);
    nft_message(NFT_MSG_NEWTABLE, NLM_F_EXCL | ADD,
                "nft add table ip " TABLE " '{ comment \"%s\"; }'\tNFT_MSG_NEWTABLE " TABLE, token);
    netlink_put_string(NFTA_TABLE_NAME, TABLE);
    put_comment(NFTA_TABLE_USERDATA, token);
    add_set("bridges", "ifname", LINK, IF_NAMESIZE);
    add_set("same", "ifname . ifname", LINK << BITS | LINK, 2 * IF_NAMESIZE);
    add_set("uplinks", "ifname", LINK, IF_NAMESIZE);
    add_set("ports", "ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service",
            (ADDRESS << BITS | PROTOCOL) << BITS | PORT, 3 * sizeof(uint32_t));
    add_chain("martians", "filter", "prerouting", NF_INET_PRE_ROUTING, -300);
    add_martian(DESTINATION_ADDRESS, "iifname != lo ip daddr 127.0.0.0/8 drop");
    add_martian(SOURCE_ADDRESS, "iifname != lo ip saddr 127.0.0.0/8 drop");
    add_chain("prerouting", "nat", "prerouting", NF_INET_PRE_ROUTING, -100);
    add_publish("prerouting", false);
    add_publish("prerouting", true);
    add_chain("output", "nat", "output", NF_INET_LOCAL_OUT, -100);
    add_publish("output", false);
    add_publish("output", true);
    add_forward();
    add_masquerade();
    batch(NFNL_MSG_BATCH_END);
    int error = netlink_send(NETLINK_NETFILTER, -EEXIST);
    if (error != -EEXIST)
        return error;
    hint("'nft list table ip " TABLE "': it belongs to tools that have another /run");
    return refuse("this network's table '" TABLE "' is somebody else's");
}

/*
 * An element's key or data, TEXT, as bytes; returns how many. A name takes sixteen; an address, a
 * protocol and a port four each, as on the wire.
 */
static size_t encode(const char *set, const char *text, char *bytes)
{
    char word[3][IF_NAMESIZE] = {""};
    int words = sscanf(text, "%15s . %15s . %15s", word[0], word[1], word[2]);
    uint16_t port = htons((uint16_t)atoi(word[words == 3 ? 2 : 1]));

    memcpy(bytes, word, (size_t)2 * IF_NAMESIZE);
    if (strcmp(set, "ports") != 0)
        return words == 2 ? (size_t)2 * IF_NAMESIZE : IF_NAMESIZE;
    memset(bytes, 0, IF_NAMESIZE);
    (void)inet_pton(AF_INET, word[0], bytes);
    if (words == 3)
        bytes[4] = word[1][0] == 't' ? IPPROTO_TCP : IPPROTO_UDP;
    memcpy(bytes + (words == 3 ? 8 : 4), &port, sizeof(port));
    return words == 3 ? 12 : 8;
}

/* A message about an element, as 'nft VERB element' has it, with DATA and TOKEN if it is new. */
static void element(int type, const char *verb, const char *call, const char *set, const char *key,
                    const char *data, const char *token)
{
    int flags = token != NULL ? NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK : NLM_F_ACK;
    char words[160], bytes[2 * IF_NAMESIZE];

    snprintf(words, sizeof(words), token != NULL ? "%s comment \"%s\"%s%s" : "%s", key, token,
             data != NULL ? " : " : "", data != NULL ? data : "");
    nft_message(type, flags, "nft %s element ip " TABLE " %s '{ %s }'\tNFT_MSG_%sSETELEM %s", verb,
                set, words, call, set);
    netlink_put_string(NFTA_SET_ELEM_LIST_TABLE, TABLE);
    netlink_put_string(NFTA_SET_ELEM_LIST_SET, set);
    netlink_open_nest(NFTA_SET_ELEM_LIST_ELEMENTS);
    netlink_open_nest(NFTA_LIST_ELEM);
    put_data(NFTA_SET_ELEM_KEY, bytes, encode(set, key, bytes));
    if (data != NULL)
        put_data(NFTA_SET_ELEM_DATA, bytes, encode(set, data, bytes));
    if (token != NULL)
        put_comment(NFTA_SET_ELEM_USERDATA, token);
}

int nat_add(const char *set, const char *key, const char *data, const char *token)
{
    batch(NFNL_MSG_BATCH_BEGIN);
    element(NFT_MSG_NEWSETELEM, "add", "NEW", set, key, data, token);
    batch(NFNL_MSG_BATCH_END);
    return netlink_send(NETLINK_NETFILTER, -EEXIST);
}

/* A message that asks for an element, or removes it; of a SET that is NULL, for the table. */
static void object(bool remove, const char *set, const char *key)
{
    const char *verb = remove ? "delete" : set != NULL ? "get" : "list";
    const char *call = remove ? "DEL" : "GET";

    if (set != NULL) {
        element(remove ? NFT_MSG_DELSETELEM : NFT_MSG_GETSETELEM, verb, call, set, key, NULL, NULL);
        return;
    }
    nft_message(remove ? NFT_MSG_DELTABLE : NFT_MSG_GETTABLE, NLM_F_ACK,
                "nft %s table ip " TABLE "\tNFT_MSG_%sTABLE " TABLE, verb, call);
    netlink_put_string(NFTA_TABLE_NAME, TABLE);
}

int nat_has(const char *set, const char *key, const char *token)
{
    const size_t header = sizeof(struct nfgenmsg);
    const struct nlmsghdr *message;
    char comment[COMMENT];
    bool found = false;

    object(false, set, key);
    netlink_ask(NETLINK_NETFILTER);
    while ((message = netlink_next()) != NULL) {
        if (netlink_read(message, header, comment, COMMENT, NFTA_TABLE_USERDATA, 0) == 0)
            netlink_read(message, header, comment, COMMENT, NFTA_SET_ELEM_LIST_ELEMENTS,
                         NFTA_LIST_ELEM, NFTA_SET_ELEM_USERDATA, 0);
        found = memcmp(comment + COMMENT_TEXT, token, CLAIM_TOKEN) == 0;
    }
    int error = netlink_end(-ENOENT, -EINVAL); /* or all of nf_tables isn't there */
    return error == 0 ? found : error == -ENOENT || error == -EINVAL ? 0 : error;
}

int nat_remove(const char *set, const char *key, const char *token)
{
    int error = nat_has(set, key, token);

    if (error != 1)
        return error;
    batch(NFNL_MSG_BATCH_BEGIN);
    object(true, set, key);
    batch(NFNL_MSG_BATCH_END);
    error = netlink_send(NETLINK_NETFILTER, -ENOENT); /* it may have gone by itself */
    return error == -ENOENT ? 0 : error;
}
