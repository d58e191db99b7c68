#include "rule.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <stdio.h>

#include "link.h"

/* A value that is looked at alone goes through register 1, of sixteen bytes. */
enum { VALUE = NFT_REG_1 };

struct rule rule_begin(struct netlink *netlink, const char *table, const char *chain,
                       const char *rule)
{
    struct rule new = {.netlink = netlink};

    nft_message(netlink, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK,
                "nft add rule ip %s %s %s\tNFT_MSG_NEWRULE %s", table, chain, rule, chain);
    netlink_put_string(netlink, NFTA_RULE_TABLE, table);
    netlink_put_string(netlink, NFTA_RULE_CHAIN, chain);
    new.list = netlink_open_nest(netlink, NFTA_RULE_EXPRESSIONS);
    return new;
}

void rule_end(struct rule *rule)
{
    netlink_close_nest(rule->netlink, rule->list);
}

static void begin_expression(struct rule *rule, const char *name)
{
    rule->element = netlink_open_nest(rule->netlink, NFTA_LIST_ELEM);
    netlink_put_string(rule->netlink, NFTA_EXPR_NAME, name);
    rule->data = netlink_open_nest(rule->netlink, NFTA_EXPR_DATA);
}

static void end_expression(struct rule *rule)
{
    netlink_close_nest(rule->netlink, rule->data);
    netlink_close_nest(rule->netlink, rule->element);
}

static void put_value(struct rule *rule, int type, const void *value, size_t size)
{
    size_t nest = netlink_open_nest(rule->netlink, type);
    netlink_put(rule->netlink, NFTA_DATA_VALUE, value, size);
    netlink_close_nest(rule->netlink, nest);
}

void rule_load_payload(struct rule *rule, int into, int header, uint32_t offset, uint32_t length)
{
    begin_expression(rule, "payload");
    netlink_put_big_endian(rule->netlink, NFTA_PAYLOAD_DREG, (uint32_t)into);
    netlink_put_big_endian(rule->netlink, NFTA_PAYLOAD_BASE, (uint32_t)header);
    netlink_put_big_endian(rule->netlink, NFTA_PAYLOAD_OFFSET, offset);
    netlink_put_big_endian(rule->netlink, NFTA_PAYLOAD_LEN, length);
    end_expression(rule);
}

void rule_load_meta(struct rule *rule, int into, int key)
{
    begin_expression(rule, "meta");
    netlink_put_big_endian(rule->netlink, NFTA_META_DREG, (uint32_t)into);
    netlink_put_big_endian(rule->netlink, NFTA_META_KEY, (uint32_t)key);
    end_expression(rule);
}

static void load_connection(struct rule *rule, int key)
{
    begin_expression(rule, "ct");
    netlink_put_big_endian(rule->netlink, NFTA_CT_DREG, VALUE);
    netlink_put_big_endian(rule->netlink, NFTA_CT_KEY, (uint32_t)key);
    end_expression(rule);
}

void rule_load_destination_kind(struct rule *rule)
{
    begin_expression(rule, "fib");
    netlink_put_big_endian(rule->netlink, NFTA_FIB_DREG, VALUE);
    netlink_put_big_endian(rule->netlink, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
    netlink_put_big_endian(rule->netlink, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
    end_expression(rule);
}

void rule_mask(struct rule *rule, uint32_t mask)
{
    begin_expression(rule, "bitwise");
    netlink_put_big_endian(rule->netlink, NFTA_BITWISE_SREG, VALUE);
    netlink_put_big_endian(rule->netlink, NFTA_BITWISE_DREG, VALUE);
    netlink_put_big_endian(rule->netlink, NFTA_BITWISE_LEN, sizeof(mask));
    put_value(rule, NFTA_BITWISE_MASK, &mask, sizeof(mask));
    put_value(rule, NFTA_BITWISE_XOR, &(uint32_t){0}, sizeof(mask));
    end_expression(rule);
}

void rule_match(struct rule *rule, int comparison, const void *value, size_t size)
{
    begin_expression(rule, "cmp");
    netlink_put_big_endian(rule->netlink, NFTA_CMP_SREG, VALUE);
    netlink_put_big_endian(rule->netlink, NFTA_CMP_OP, (uint32_t)comparison);
    put_value(rule, NFTA_CMP_DATA, value, size);
    end_expression(rule);
}

void rule_match_address(struct rule *rule, uint32_t field, int comparison, uint32_t address,
                        int prefix)
{
    uint32_t value = htonl(address & link_mask(prefix));

    rule_load_payload(rule, VALUE, NFT_PAYLOAD_NETWORK_HEADER, field, sizeof(value));
    if (prefix < 32)
        rule_mask(rule, htonl(link_mask(prefix)));
    rule_match(rule, comparison, &value, sizeof(value));
}

void rule_match_link(struct rule *rule, int key, int comparison, const char *name)
{
    char padded[IF_NAMESIZE] = "";

    snprintf(padded, sizeof(padded), "%s", name);
    rule_load_meta(rule, VALUE, key);
    rule_match(rule, comparison, padded, sizeof(padded));
}

void rule_match_connection(struct rule *rule, int key, uint32_t bits, int comparison)
{
    load_connection(rule, key);
    rule_mask(rule, bits);
    rule_match(rule, comparison, &(uint32_t){0}, sizeof(uint32_t));
}

void rule_masquerade(struct rule *rule)
{
    begin_expression(rule, "masq");
    end_expression(rule);
}

void rule_look_up(struct rule *rule, const char *set, bool inverted)
{
    begin_expression(rule, "lookup");
    netlink_put_string(rule->netlink, NFTA_LOOKUP_SET, set);
    netlink_put_big_endian(rule->netlink, NFTA_LOOKUP_SREG, VALUE);
    if (inverted)
        netlink_put_big_endian(rule->netlink, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
    end_expression(rule);
}

void rule_match_link_in(struct rule *rule, int key, const char *set, bool inverted)
{
    rule_load_meta(rule, VALUE, key);
    rule_look_up(rule, set, inverted);
}

void rule_drop(struct rule *rule)
{
    begin_expression(rule, "immediate");
    netlink_put_big_endian(rule->netlink, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    size_t data = netlink_open_nest(rule->netlink, NFTA_IMMEDIATE_DATA);
    size_t verdict = netlink_open_nest(rule->netlink, NFTA_DATA_VERDICT);
    netlink_put_big_endian(rule->netlink, NFTA_VERDICT_CODE, NF_DROP);
    netlink_close_nest(rule->netlink, verdict);
    netlink_close_nest(rule->netlink, data);
    end_expression(rule);
}

void rule_dnat(struct rule *rule, const char *map)
{
    begin_expression(rule, "lookup");
    netlink_put_string(rule->netlink, NFTA_LOOKUP_SET, map);
    netlink_put_big_endian(rule->netlink, NFTA_LOOKUP_SREG, FIRST);
    netlink_put_big_endian(rule->netlink, NFTA_LOOKUP_DREG, FIRST);
    end_expression(rule);
    begin_expression(rule, "nat");
    netlink_put_big_endian(rule->netlink, NFTA_NAT_TYPE, NFT_NAT_DNAT);
    netlink_put_big_endian(rule->netlink, NFTA_NAT_FAMILY, NFPROTO_IPV4);
    netlink_put_big_endian(rule->netlink, NFTA_NAT_REG_ADDR_MIN, FIRST);
    netlink_put_big_endian(rule->netlink, NFTA_NAT_REG_PROTO_MIN, SECOND);
    end_expression(rule);
}
