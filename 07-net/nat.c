#define _GNU_SOURCE
#include "nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "../01-chroot/tool.h"
#include "claim.h"
#include "link.h"
#include "netlink.h"

#define TABLE "ten-steps"

/* netlink_message() for nf_tables: its own types (NFT_MSG_*) and fixed part; IPv4. */
#define nft_message(type, flags, ...)                                                              \
    netlink_message(NFNL_SUBSYS_NFTABLES << 8 | (type), flags,                                     \
                    &(struct nfgenmsg){.nfgen_family = NFPROTO_IPV4}, sizeof(struct nfgenmsg),     \
                    __VA_ARGS__)

enum { ADD = NLM_F_CREATE | NLM_F_ACK };

/* Types of keys as nft(8) numbers them; those of several parts have six bits for each. */
enum { ADDRESS = 7, PROTOCOL = 12, PORT = 13, LINK = 41, BITS = 6 };

/* Messages that change something stand between two of these: they take effect as a whole. */
static void batch(int type)
{
    struct nfgenmsg header = {.nfgen_family = AF_UNSPEC, .res_id = htons(NFNL_SUBSYS_NFTABLES)};

    netlink_message(type, 0, &header, sizeof(header), "nf_tables batch");
}

static int commit(int expected)
{
    batch(NFNL_MSG_BATCH_END);
    return netlink_send(NETLINK_NETFILTER, expected);
}

static void put_data(int type, const void *value, size_t size)
{
    int outer = netlink_open_nest(type);

    netlink_put(NFTA_DATA_VALUE, value, size);
    netlink_close_nests(outer);
}

/* A comment, as nft(8) keeps it in user data: type, size and text. */
static void put_comment(int type, const char *token)
{
    char comment[2 + CLAIM_TOKEN] = {0, CLAIM_TOKEN};

    memcpy(comment + 2, token, CLAIM_TOKEN);
    netlink_put(type, comment, sizeof(comment));
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

/* --- rules ------------------------------------------------------------------------------------ */

/* A rule is a small program: expressions load what is known of a packet into registers, compare it,
 * and act. The sixteen bytes of register 1 are also four of four bytes, for the parts of a key. */
enum { FIRST = NFT_REG_1, SECOND = NFT_REG32_01, THIRD = NFT_REG32_02, NEXT_NAME = NFT_REG_2 };

struct expression {
    const char *name;
    struct {
        int type; /* of an attribute; 0 behind the last one */
        uint32_t number;
    } numbers[5];
    struct {
        int type;
        size_t size;
        union {
            char text[IF_NAMESIZE];
            uint32_t number;
        };
    } data[3];
    const char *set; /* where "lookup" looks */
};

/* clang-format off */

/* Load what is known of the packet, of its connection; an address (RFC 791), a port, its type. */
#define META(register, key) {.name = "meta", \
    .numbers = {{NFTA_META_DREG, register}, {NFTA_META_KEY, key}}}
#define CT(key) {.name = "ct", .numbers = {{NFTA_CT_DREG, FIRST}, {NFTA_CT_KEY, key}}}
#define PAYLOAD(register, header, offset, length) {.name = "payload", .numbers = { \
    {NFTA_PAYLOAD_DREG, register}, {NFTA_PAYLOAD_BASE, header}, \
    {NFTA_PAYLOAD_OFFSET, offset}, {NFTA_PAYLOAD_LEN, length}}}
#define SOURCE(length)      PAYLOAD(FIRST, NFT_PAYLOAD_NETWORK_HEADER, 12, length)
#define DESTINATION(length) PAYLOAD(FIRST, NFT_PAYLOAD_NETWORK_HEADER, 16, length)
#define TO_PORT(register)   PAYLOAD(register, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2)
#define DESTINATION_TYPE    {.name = "fib", .numbers = { \
    {NFTA_FIB_DREG, FIRST}, {NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE}, \
    {NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR}}}

/* Keep some bits of the first register; go on only if a value, or a set, has it, or not; map it. */
#define AND(bits) {.name = "bitwise", .numbers = { \
    {NFTA_BITWISE_SREG, FIRST}, {NFTA_BITWISE_DREG, FIRST}, {NFTA_BITWISE_LEN, 4}}, \
    .data = {{NFTA_BITWISE_MASK, 4, {.number = (bits)}}, {NFTA_BITWISE_XOR, 4, {.number = 0}}}}
#define COMPARE(how, size, ...) {.name = "cmp", \
    .numbers = {{NFTA_CMP_SREG, FIRST}, {NFTA_CMP_OP, how}}, \
    .data = {{NFTA_CMP_DATA, size, {__VA_ARGS__}}}}
#define IS(value)     COMPARE(NFT_CMP_EQ, 4, .number = (value))
#define IS_NOT(value) COMPARE(NFT_CMP_NEQ, 4, .number = (value))
#define LOOKUP(where, type, number) {.name = "lookup", \
    .numbers = {{NFTA_LOOKUP_SREG, FIRST}, {type, number}}, .set = (where)}
#define IN(set)       LOOKUP(set, NFTA_LOOKUP_FLAGS, 0)
#define NOT_IN(set)   LOOKUP(set, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV)
#define MAP(map)      LOOKUP(map, NFTA_LOOKUP_DREG, FIRST)

/* Send it on to where two registers say; let it bear this host's address; drop it. */
#define DNAT(address, port) {.name = "nat", .numbers = {{NFTA_NAT_TYPE, NFT_NAT_DNAT}, \
    {NFTA_NAT_FAMILY, NFPROTO_IPV4}, \
    {NFTA_NAT_REG_ADDR_MIN, address}, {NFTA_NAT_REG_PROTO_MIN, port}}}
#define MASQUERADE {.name = "masq"}
#define DROP       {.name = "immediate", .numbers = {{NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT}}}

/* The rules, as nft(8) writes them and as the kernel takes them. */
static const struct rule {
    const char *chain, *words;
    struct expression expressions[13];
} rules[] = {
    /* For ports published at 127.0.0.1 the bridge lets packets from and to 127.0.0.0/8 through
     * (route_localnet). That is for this host alone, as are its local services (CVE-2020-8558). */
    {"martians", "iifname != lo ip daddr 127.0.0.0/8 drop",
     {META(FIRST, NFT_META_IIFNAME), COMPARE(NFT_CMP_NEQ, IF_NAMESIZE, "lo"),
      DESTINATION(1), COMPARE(NFT_CMP_EQ, 1, {127}), DROP}},
    {"martians", "iifname != lo ip saddr 127.0.0.0/8 drop",
     {META(FIRST, NFT_META_IIFNAME), COMPARE(NFT_CMP_NEQ, IF_NAMESIZE, "lo"),
      SOURCE(1), COMPARE(NFT_CMP_EQ, 1, {127}), DROP}},
    /* The map has a box's address and port for the very address that a packet is for, or for any
     * one of this host, 0.0.0.0. The chain "output" has the same two rules. */
    /* EXERCISE 7.4: two rules of the chain "prerouting": what "ports" has for the packet's
       destination address, protocol and port becomes its destination; and if the address is one of
       this host, RTN_LOCAL, what it has for 0.0.0.0. nft(8), linux/netfilter/nf_tables.h */
    {"prerouting", "dnat ip to ip daddr . meta l4proto . th dport map @ports",
     {DESTINATION(4), META(SECOND, NFT_META_L4PROTO), TO_PORT(THIRD),
      MAP("ports"), DNAT(FIRST, SECOND)}},
    {"prerouting", "fib daddr type local dnat ip to ip daddr \\& 0.0.0.0 . "
                   "meta l4proto . th dport map @ports",
     {DESTINATION_TYPE, IS(RTN_LOCAL),
      DESTINATION(4), AND(0), META(SECOND, NFT_META_L4PROTO), TO_PORT(THIRD),
      MAP("ports"), DNAT(FIRST, SECOND)}},
    /* END */
    /* Boxes are reached by their published ports and from their own bridge alone. Links that
     * forward only because a box needs it don't make the host a router between them. */
    {"forward", "oifname @bridges iifname . oifname != @same ct state new "
                "ct status \\& dnat == 0 drop",
     {META(FIRST, NFT_META_OIFNAME), IN("bridges"),
      META(FIRST, NFT_META_IIFNAME), META(NEXT_NAME, NFT_META_OIFNAME), NOT_IN("same"),
      CT(NFT_CT_STATE), AND(NF_CT_STATE_BIT(IP_CT_NEW)), IS_NOT(0),
      CT(NFT_CT_STATUS), AND(IPS_DST_NAT), IS(0), DROP}},
    {"forward", "oifname @bridges iifname . oifname != @same ct state invalid drop",
     {META(FIRST, NFT_META_OIFNAME), IN("bridges"),
      META(FIRST, NFT_META_IIFNAME), META(NEXT_NAME, NFT_META_OIFNAME), NOT_IN("same"),
      CT(NFT_CT_STATE), AND(NF_CT_STATE_INVALID_BIT), IS_NOT(0), DROP}},
    {"forward", "iifname @uplinks oifname @uplinks ct state new drop",
     {META(FIRST, NFT_META_IIFNAME), IN("uplinks"), META(FIRST, NFT_META_OIFNAME), IN("uplinks"),
      CT(NFT_CT_STATE), AND(NF_CT_STATE_BIT(IP_CT_NEW)), IS_NOT(0), DROP}},
    /* A box can't answer 127.0.0.1, and would answer a neighbour from an address never called. */
    /* EXERCISE 7.3: two rules of the chain "postrouting": the host's address for what has come in
       by a link of the set "bridges"; and for what has come in by none (NFT_META_IIF is 0) and goes
       out by such a link to a published port (IPS_DST_NAT is set in its status). nft(8) */
    {"postrouting", "iifname @bridges masquerade",
     {META(FIRST, NFT_META_IIFNAME), IN("bridges"), MASQUERADE}},
    {"postrouting", "iif 0 oifname @bridges ct status dnat masquerade",
     {META(FIRST, NFT_META_IIF), IS(0), META(FIRST, NFT_META_OIFNAME), IN("bridges"),
      CT(NFT_CT_STATUS), AND(IPS_DST_NAT), IS_NOT(0), MASQUERADE}},
    /* END */
};
/* clang-format on */

static void add_rule(const char *chain, const struct rule *rule)
{
    nft_message(NFT_MSG_NEWRULE, NLM_F_APPEND | ADD,
                "nft add rule ip " TABLE " %s %s\tNFT_MSG_NEWRULE %s", chain, rule->words, chain);
    netlink_put_string(NFTA_RULE_TABLE, TABLE);
    netlink_put_string(NFTA_RULE_CHAIN, chain);
    netlink_open_nest(NFTA_RULE_EXPRESSIONS);
    for (const struct expression *each = rule->expressions; each->name != NULL; each++) {
        int list = netlink_open_nest(NFTA_LIST_ELEM);
        netlink_put_string(NFTA_EXPR_NAME, each->name);
        netlink_open_nest(NFTA_EXPR_DATA);
        for (int i = 0; each->numbers[i].type != 0; i++)
            netlink_put_big_endian(each->numbers[i].type, each->numbers[i].number);
        for (int i = 0; each->data[i].type != 0; i++)
            put_data(each->data[i].type, each->data[i].text, each->data[i].size);
        if (each->set != NULL)
            netlink_put_string(NFTA_LOOKUP_SET, each->set);
        if (strcmp(each->name, "immediate") == 0) {
            netlink_open_nest(NFTA_IMMEDIATE_DATA);
            netlink_open_nest(NFTA_DATA_VERDICT);
            netlink_put_big_endian(NFTA_VERDICT_CODE, NF_DROP);
        }
        netlink_close_nests(list);
    }
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
    add_chain("prerouting", "nat", "prerouting", NF_INET_PRE_ROUTING, -100);
    add_chain("output", "nat", "output", NF_INET_LOCAL_OUT, -100);
    add_chain("forward", "filter", "forward", NF_INET_FORWARD, 0);
    add_chain("postrouting", "nat", "postrouting", NF_INET_POST_ROUTING, 100);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        add_rule(rules[i].chain, &rules[i]);
        if (strcmp(rules[i].chain, "prerouting") == 0)
            add_rule("output", &rules[i]);
    }
    return commit(0); /* "File exists": tools with another /run have made one */
}

/* --- elements --------------------------------------------------------------------------------- */

/* An element's key or data, TEXT, as bytes: sixteen for a name, four for all else. How many? */
static size_t encode(const char *set, const char *text, char *bytes)
{
    char word[3][IF_NAMESIZE] = {""};
    int words = sscanf(text, "%15s . %15s . %15s", word[0], word[1], word[2]);
    uint16_t port = htons((uint16_t)atoi(word[words - 1]));

    memcpy(bytes, word, (size_t)2 * IF_NAMESIZE);
    if (strcmp(set, "ports") != 0)
        return (size_t)words * IF_NAMESIZE;
    memset(bytes, 0, IF_NAMESIZE);
    (void)inet_pton(AF_INET, word[0], bytes);
    if (words == 3)
        bytes[4] = word[1][0] == 't' ? IPPROTO_TCP : IPPROTO_UDP;
    memcpy(bytes + (size_t)4 * (words - 1), &port, sizeof(port));
    return (size_t)4 * words;
}

enum { NEW, GET, DELETE }; /* the order of the types of messages */

/* A message about the element KEY of SET, WORDS in nft(8), or if SET is NULL about the table. */
static void object(int what, const char *set, const char *key, const char *words)
{
    const char *verb = what == NEW ? "add" : what == GET ? "get" : "delete";
    const char *call = what == NEW ? "NEW" : what == GET ? "GET" : "DEL";
    const int flags = NLM_F_ACK | (what == NEW ? NLM_F_CREATE | NLM_F_EXCL : 0);
    char bytes[2 * IF_NAMESIZE];

    if (set == NULL) {
        nft_message(NFT_MSG_NEWTABLE + what, flags,
                    "nft %s table ip " TABLE "\tNFT_MSG_%sTABLE " TABLE,
                    what == GET ? "list" : verb, call);
        netlink_put_string(NFTA_TABLE_NAME, TABLE);
        return;
    }
    nft_message(NFT_MSG_NEWSETELEM + what, flags,
                "nft %s element ip " TABLE " %s '{ %s }'\tNFT_MSG_%sSETELEM %s", verb, set, words,
                call, set);
    netlink_put_string(NFTA_SET_ELEM_LIST_TABLE, TABLE);
    netlink_put_string(NFTA_SET_ELEM_LIST_SET, set);
    netlink_open_nest(NFTA_SET_ELEM_LIST_ELEMENTS);
    netlink_open_nest(NFTA_LIST_ELEM);
    put_data(NFTA_SET_ELEM_KEY, bytes, encode(set, key, bytes));
}

int nat_add(const char *set, const char *key, const char *data, const char *token)
{
    char words[160], bytes[2 * IF_NAMESIZE];

    snprintf(words, sizeof(words), "%s comment \"%s\"%s%s", key, token, data != NULL ? " : " : "",
             data != NULL ? data : "");
    batch(NFNL_MSG_BATCH_BEGIN);
    object(NEW, set, key, words);
    if (data != NULL)
        put_data(NFTA_SET_ELEM_DATA, bytes, encode(set, data, bytes));
    put_comment(NFTA_SET_ELEM_USERDATA, token);
    int error = commit(-EEXIST);
    return error == 0 ? nat_forget(key, data) : error;
}

int nat_has(const char *set, const char *key, const char *token)
{
    const struct nlmsghdr *message;
    bool found = false;

    object(GET, set, key, key);
    while ((message = netlink_next(NETLINK_NETFILTER)) != NULL)
        /* Anywhere in it: no name or address is as long as a token. */
        found = memmem(message, message->nlmsg_len, token, CLAIM_TOKEN) != NULL;
    int error = netlink_end(-ENOENT, -EINVAL); /* or all of nf_tables isn't there */
    return error == 0 ? found : error == -ENOENT || error == -EINVAL ? 0 : error;
}

int nat_remove(const char *set, const char *key, const char *token)
{
    int error = nat_has(set, key, token);

    if (error != 1)
        return error;
    batch(NFNL_MSG_BATCH_BEGIN);
    object(DELETE, set, key, key);
    error = commit(-ENOENT); /* it may have gone by itself */
    if (error == 0 && key != NULL)
        error = nat_forget(key, NULL);
    return error == -ENOENT ? 0 : error;
}
