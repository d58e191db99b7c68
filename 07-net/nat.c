#include "nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../01-chroot/tool.h"
#include "link.h"
#include "rule.h"

#include <linux/netfilter/nf_conntrack_common.h>

/* How user space and nft(8) keep a comment in a table's user data: type, length, text. */
enum { USERDATA_COMMENT = 0 };

enum { LOOPBACK = 0x7f000000, LOOPBACK_PREFIX = 8 };

static void begin_batch(struct netlink *netlink)
{
    struct nfgenmsg header = {.nfgen_family = AF_UNSPEC, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
    netlink_message(netlink, NFNL_MSG_BATCH_BEGIN, 0, &header, sizeof(header), "nf_tables batch");
}

/* Returns what netlink_send() returns. */
static int end_batch(struct netlink *netlink)
{
    struct nfgenmsg header = {.nfgen_family = AF_UNSPEC, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
    netlink_message(netlink, NFNL_MSG_BATCH_END, 0, &header, sizeof(header), "nf_tables batch");
    return netlink_send(netlink);
}

static void add_table(struct netlink *netlink, const struct nat *nat)
{
    char comment[2 + NAT_NOTE] = {USERDATA_COMMENT};
    size_t length = strlen(nat->note) + 1;

    nft_message(netlink, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
                "nft add table ip %s '{ comment \"%s\"; }'\tNFT_MSG_NEWTABLE %s", nat->table,
                nat->note, nat->table);
    netlink_put_string(netlink, NFTA_TABLE_NAME, nat->table);
    comment[1] = (char)length;
    memcpy(comment + 2, nat->note, length);
    netlink_put(netlink, NFTA_TABLE_USERDATA, comment, 2 + length);
}

static void add_chain(struct netlink *netlink, const struct nat *nat, const char *name,
                      const char *type, const char *hook, int hook_number, int priority)
{
    nft_message(netlink, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_ACK,
                "nft add chain ip %s %s '{ type %s hook %s priority %d; }'\tNFT_MSG_NEWCHAIN %s",
                nat->table, name, type, hook, priority, name);
    netlink_put_string(netlink, NFTA_CHAIN_TABLE, nat->table);
    netlink_put_string(netlink, NFTA_CHAIN_NAME, name);
    size_t nest = netlink_open_nest(netlink, NFTA_CHAIN_HOOK);
    netlink_put_big_endian(netlink, NFTA_HOOK_HOOKNUM, (uint32_t)hook_number);
    netlink_put_big_endian(netlink, NFTA_HOOK_PRIORITY, (uint32_t)priority);
    netlink_close_nest(netlink, nest);
    netlink_put_string(netlink, NFTA_CHAIN_TYPE, type);
}

static bool on_loopback(const struct publish *port)
{
    return (port->address & link_mask(LOOPBACK_PREFIX)) == LOOPBACK;
}

/* What the box sends to anywhere but its bridge bears the host's address instead of its own. */
static void add_masquerade(struct netlink *netlink, const struct nat *nat)
{
    char text[160], address[LINK_ADDRESS_TEXT];

    link_address_text(nat->address, address);
    snprintf(text, sizeof(text), "ip saddr %s oifname != %s masquerade", address, nat->bridge);
    struct rule rule = rule_begin(netlink, nat->table, "postrouting", text);
    rule_match_address(&rule, SOURCE_ADDRESS, NFT_CMP_EQ, nat->address, 32);
    rule_match_link(&rule, NFT_META_OIFNAME, NFT_CMP_NEQ, nat->bridge);
    /* EXERCISE 7.3: the packet takes the address of the link it leaves by. nft(8), masquerade */
    rule_masquerade(&rule);
    /* END */
    rule_end(&rule);
}

/*
 * A caller on the same bridge (another box, or this one) would get the answer straight from the
 * box, from an address that it never called; one on 127.0.0.1 could not be answered at all. Both
 * are made to look like the host, so that the answer comes back through it.
 */
static void add_masquerade_towards_box(struct netlink *netlink, const struct nat *nat,
                                       uint32_t from, int prefix)
{
    char text[160], address[LINK_ADDRESS_TEXT], network[LINK_ADDRESS_TEXT];

    link_address_text(nat->address, address);
    link_address_text(from, network);
    snprintf(text, sizeof(text), "ip saddr %s/%d ip daddr %s ct status dnat masquerade", network,
             prefix, address);
    struct rule rule = rule_begin(netlink, nat->table, "postrouting", text);
    rule_match_address(&rule, SOURCE_ADDRESS, NFT_CMP_EQ, from, prefix);
    rule_match_address(&rule, DESTINATION_ADDRESS, NFT_CMP_EQ, nat->address, 32);
    rule_match_connection(&rule, NFT_CT_STATUS, IPS_DST_NAT, NFT_CMP_NEQ);
    rule_masquerade(&rule);
    rule_end(&rule);
}

/* From outside, a masqueraded box is reached through its published ports and no other way. */
static void add_guard(struct netlink *netlink, const struct nat *nat)
{
    char text[160], address[LINK_ADDRESS_TEXT];

    link_address_text(nat->address, address);
    snprintf(text, sizeof(text),
             "iifname != %s ip daddr %s ct state new ct status \\& dnat == 0 drop", nat->bridge,
             address);
    struct rule rule = rule_begin(netlink, nat->table, "forward", text);
    rule_match_link(&rule, NFT_META_IIFNAME, NFT_CMP_NEQ, nat->bridge);
    rule_match_address(&rule, DESTINATION_ADDRESS, NFT_CMP_EQ, nat->address, 32);
    rule_match_connection(&rule, NFT_CT_STATE, NF_CT_STATE_BIT(IP_CT_NEW), NFT_CMP_NEQ);
    rule_match_connection(&rule, NFT_CT_STATUS, IPS_DST_NAT, NFT_CMP_EQ);
    rule_drop(&rule);
    rule_end(&rule);
}

/*
 * With route_localnet the bridge takes packets from and to 127.0.0.0/8. The host needs that for its
 * own; a box must not reach the host's local services by it (CVE-2020-8558).
 */
static void add_martians(struct netlink *netlink, const struct nat *nat)
{
    char text[160];

    snprintf(text, sizeof(text), "iifname %s ip daddr 127.0.0.0/8 drop", nat->bridge);
    struct rule rule = rule_begin(netlink, nat->table, "martians", text);
    rule_match_link(&rule, NFT_META_IIFNAME, NFT_CMP_EQ, nat->bridge);
    rule_match_address(&rule, DESTINATION_ADDRESS, NFT_CMP_EQ, LOOPBACK, LOOPBACK_PREFIX);
    rule_drop(&rule);
    rule_end(&rule);
}

/* A packet for the published port is sent on to the box. CHAIN is prerouting or output. */
static void add_publish(struct netlink *netlink, const struct nat *nat, const char *chain,
                        const struct publish *port)
{
    char text[192], address[LINK_ADDRESS_TEXT], own[LINK_ADDRESS_TEXT];
    const char *protocol = port->protocol == IPPROTO_TCP ? "tcp" : "udp";

    link_address_text(nat->address, address);
    link_address_text(port->address, own);
    snprintf(text, sizeof(text), "%s%s %s dport %d dnat to %s:%d",
             port->address ? "ip daddr " : "fib daddr type local ip daddr != 127.0.0.0/8",
             port->address ? own : "", protocol, port->port, address, port->box_port);
    struct rule rule = rule_begin(netlink, nat->table, chain, text);
    if (port->address != 0) {
        rule_match_address(&rule, DESTINATION_ADDRESS, NFT_CMP_EQ, port->address, 32);
    } else {
        rule_load_destination_kind(&rule);
        rule_match(&rule, NFT_CMP_EQ, &(uint32_t){RTN_LOCAL}, sizeof(uint32_t));
        rule_match_address(&rule, DESTINATION_ADDRESS, NFT_CMP_NEQ, LOOPBACK, LOOPBACK_PREFIX);
    }
    rule_load_meta(&rule, NFT_META_L4PROTO);
    rule_match(&rule, NFT_CMP_EQ, &(uint8_t){(uint8_t)port->protocol}, 1);
    rule_load_payload(&rule, NFT_PAYLOAD_TRANSPORT_HEADER, DESTINATION_PORT, sizeof(uint16_t));
    rule_match(&rule, NFT_CMP_EQ, &(uint16_t){htons(port->port)}, sizeof(uint16_t));
    /* EXERCISE 7.4: the packet's destination becomes the box. nft(8), dnat */
    rule_dnat(&rule, nat->address, port->box_port);
    /* END */
    rule_end(&rule);
}

/* The chains and rules for published ports. */
static void add_ports(struct netlink *netlink, const struct nat *nat)
{
    bool any_on_loopback = false;

    add_chain(netlink, nat, "prerouting", "nat", "prerouting", NF_INET_PRE_ROUTING, -100);
    add_chain(netlink, nat, "output", "nat", "output", NF_INET_LOCAL_OUT, -100);
    for (int i = 0; i < nat->port_count; i++) {
        any_on_loopback |= on_loopback(&nat->ports[i]);
        /* What comes from outside is never for 127.0.0.1, whatever it says. */
        if (!on_loopback(&nat->ports[i]))
            add_publish(netlink, nat, "prerouting", &nat->ports[i]);
        add_publish(netlink, nat, "output", &nat->ports[i]);
    }
    add_masquerade_towards_box(netlink, nat, nat->network, nat->prefix);
    if (any_on_loopback) {
        add_masquerade_towards_box(netlink, nat, LOOPBACK, LOOPBACK_PREFIX);
        add_chain(netlink, nat, "martians", "filter", "prerouting", NF_INET_PRE_ROUTING, -300);
        add_martians(netlink, nat);
    }
}

int nat_report(const struct netlink *netlink, int error)
{
    if (error == -EPROTONOSUPPORT || error == -EOPNOTSUPP || error == -ENOENT)
        hint("nf_tables, or a part of it, is missing in this kernel; 'modprobe -a nf_tables "
             "nft_chain_nat nft_masq nft_fib_ipv4 nft_ct' may help, or --no-nat");
    return netlink_report(netlink, error);
}

int nat_add(struct netlink *netlink, const struct nat *nat)
{
    begin_batch(netlink);
    add_table(netlink, nat);
    add_chain(netlink, nat, "postrouting", "nat", "postrouting", NF_INET_POST_ROUTING, 100);
    if (nat->masquerade) {
        add_masquerade(netlink, nat);
        add_chain(netlink, nat, "forward", "filter", "forward", NF_INET_FORWARD, 0);
        add_guard(netlink, nat);
    }
    if (nat->port_count > 0)
        add_ports(netlink, nat);
    int error = end_batch(netlink);
    return error == 0 ? 0 : nat_report(netlink, error);
}

int nat_delete(struct netlink *netlink, const char *table)
{
    begin_batch(netlink);
    nft_message(netlink, NFT_MSG_DELTABLE, NLM_F_ACK, "nft delete table ip %s\tNFT_MSG_DELTABLE %s",
                table, table);
    netlink_put_string(netlink, NFTA_TABLE_NAME, table);
    int error = end_batch(netlink);
    return error == 0 ? 0 : netlink_report(netlink, error);
}

static void read_comment(const struct nlattr *userdata, char *text, size_t size)
{
    text[0] = '\0';
    if (userdata == NULL)
        return;
    const char *bytes = (const char *)userdata + NLA_HDRLEN;
    if (userdata->nla_len > NLA_HDRLEN + 2 && bytes[0] == USERDATA_COMMENT)
        snprintf(text, size, "%.*s", userdata->nla_len - NLA_HDRLEN - 2, bytes + 2);
}

static int take_table(const struct nlmsghdr *message, struct nat_tables *tables)
{
    const size_t fixed = sizeof(struct nfgenmsg);
    char name[256];

    netlink_text(netlink_find(message, fixed, NFTA_TABLE_NAME), name, sizeof(name));
    if (strncmp(name, NAT_PREFIX, strlen(NAT_PREFIX)) != 0 || strlen(name) >= NAT_TABLE)
        return 0;
    struct nat_table *grown = link_one_more(tables->tables, tables->count, sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    tables->tables = grown;
    struct nat_table *table = &grown[tables->count++];
    snprintf(table->name, sizeof(table->name), "%.*s", NAT_TABLE - 1, name);
    read_comment(netlink_find(message, fixed, NFTA_TABLE_USERDATA), table->note,
                 sizeof(table->note));
    return 0;
}

int nat_list(struct netlink *netlink, struct nat_tables *tables)
{
    const struct nlmsghdr *message;
    int error;

    memset(tables, 0, sizeof(*tables));
    do { /* as with links */
        nat_free(tables);
        nft_message(netlink, NFT_MSG_GETTABLE, NLM_F_DUMP,
                    "nft list tables ip\tNFT_MSG_GETTABLE all");
        error = netlink_ask(netlink);
        while (error == 0 && (message = netlink_next(netlink, &error)) != NULL)
            error = take_table(message, tables);
    } while (error == 0 && netlink->interrupted);
    /* So a kernel answers that has nfnetlink, for conntrack perhaps, and no nf_tables. */
    return error == -EINVAL ? -EOPNOTSUPP : error;
}

void nat_free(struct nat_tables *tables)
{
    free(tables->tables);
    memset(tables, 0, sizeof(*tables));
}
