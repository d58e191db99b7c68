#define _GNU_SOURCE
#include "forward.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "rule.h"

#include <linux/netfilter_ipv4/ip_tables.h>

enum { MOST_CHAINS = 8 };

/* A chain of nf_tables: "ip" or "inet", table and name. */
struct chain {
    int family;
    char table[128], name[128];
};

/* Is MESSAGE a chain at the place where packets are forwarded, with the policy drop? */
static bool drops(const struct nlmsghdr *message, struct chain *chain)
{
    const struct nfgenmsg *header = NLMSG_DATA(message);
    const struct nlattr *hook = netlink_find(message, sizeof(*header), NFTA_CHAIN_HOOK);
    const struct nlattr *policy = netlink_find(message, sizeof(*header), NFTA_CHAIN_POLICY);

    if ((header->nfgen_family != NFPROTO_IPV4 && header->nfgen_family != NFPROTO_INET) ||
        hook == NULL || policy == NULL || ntohl(netlink_number(policy)) != NF_DROP ||
        ntohl(netlink_number(netlink_find_in(hook, NFTA_HOOK_HOOKNUM))) != NF_INET_FORWARD)
        return false;
    chain->family = header->nfgen_family;
    netlink_text(netlink_find(message, sizeof(*header), NFTA_CHAIN_TABLE), chain->table,
                 sizeof(chain->table));
    netlink_text(netlink_find(message, sizeof(*header), NFTA_CHAIN_NAME), chain->name,
                 sizeof(chain->name));
    return true;
}

/* Fills CHAINS, the first MOST_CHAINS of them. Returns how many there are, or -errno. */
static int find_chains(struct netlink *filter, struct chain *chains)
{
    struct nfgenmsg header = {.nfgen_family = NFPROTO_UNSPEC};
    const struct nlmsghdr *message;
    int count = 0, error;

    netlink_message(filter, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_DUMP, &header,
                    sizeof(header), "nft list chains\tNFT_MSG_GETCHAIN all");
    error = netlink_ask(filter);
    while (error == 0 && (message = netlink_next(filter, &error)) != NULL)
        count += count < MOST_CHAINS && drops(message, &chains[count]);
    return error == 0 ? count : error;
}

/*
 * Does a rule of the table compare something with the bridge's name? Then somebody has thought of
 * it. Returns 1 if so, 0 if not, or -errno.
 */
static int mentions(struct netlink *filter, const struct chain *chain, const char *bridge)
{
    struct nfgenmsg header = {.nfgen_family = (uint8_t)chain->family};
    const struct nlmsghdr *message;
    bool found = false;
    int error;

    netlink_message(filter, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE, NLM_F_DUMP, &header,
                    sizeof(header), "nft list table %s %s\tNFT_MSG_GETRULE %s",
                    chain->family == NFPROTO_INET ? "inet" : "ip", chain->table, chain->table);
    netlink_put_string(filter, NFTA_RULE_TABLE, chain->table);
    error = netlink_ask(filter);
    while (error == 0 && (message = netlink_next(filter, &error)) != NULL)
        found = found || memmem(message, message->nlmsg_len, bridge, strlen(bridge) + 1) != NULL;
    return error == 0 ? found : error;
}

/* Is the table of the older iptables in use? To ask the kernel for it would make it. */
static bool old_table_is_there(void)
{
    FILE *names = fopen("/proc/net/ip_tables_names", "re");
    char name[64];
    bool found = false;

    while (names != NULL && !found && fgets(name, sizeof(name), names) != NULL)
        found = strcmp(name, "filter\n") == 0;
    if (names != NULL)
        fclose(names);
    return found;
}

/*
 * The older iptables keep their table apart from nf_tables. It is a row of entries; each chain ends
 * with its policy.
 */
static bool old_table_drops(const char *bridge)
{
    struct ipt_getinfo info = {.name = "filter"};
    socklen_t size = sizeof(info);
    bool dropping = false;

    int raw = old_table_is_there() ? socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW) : -1;
    if (raw == -1)
        return false;
    if (getsockopt(raw, SOL_IP, IPT_SO_GET_INFO, &info, &size) == 0) {
        size = (socklen_t)(sizeof(struct ipt_get_entries) + info.size);
        struct ipt_get_entries *entries = calloc(1, size);
        if (entries != NULL) {
            entries->size = info.size;
            memcpy(entries->name, "filter", sizeof("filter"));
            if (getsockopt(raw, SOL_IP, IPT_SO_GET_ENTRIES, entries, &size) == 0) {
                const char *table = (const char *)entries->entrytable;
                const struct ipt_entry *policy =
                    (const void *)(table + info.underflow[NF_INET_FORWARD]);
                const struct xt_standard_target *target =
                    (const void *)((const char *)policy + policy->target_offset);
                dropping = target->verdict == -NF_DROP - 1 &&
                           memmem(table, info.size, bridge, strlen(bridge) + 1) == NULL;
            }
        }
        free(entries);
    }
    close(raw);
    return dropping;
}

/* COMMAND, and the same for the other direction, is the way out. */
static void warn(const char *chain, const char *command, const char *other)
{
    hint("'%s' and the same with %s let the boxes through", command, other);
    (void)refuse("the box can't reach the outside nor be reached: the %s drops what is forwarded",
                 chain);
}

int forward_warn(struct netlink *filter, const char *bridge)
{
    struct chain chains[MOST_CHAINS];
    char name[288], command[352];
    int count = find_chains(filter, chains), spoken_of = 0;

    for (int i = 0; i < count && spoken_of >= 0; i++) {
        const char *family = chains[i].family == NFPROTO_INET ? "inet" : "ip";
        spoken_of = mentions(filter, &chains[i], bridge);
        if (spoken_of != 0)
            continue;
        snprintf(name, sizeof(name), "firewall's chain '%s %s %s'", family, chains[i].table,
                 chains[i].name);
        snprintf(command, sizeof(command), "nft insert rule %s %s %s iifname %s accept", family,
                 chains[i].table, chains[i].name, bridge);
        warn(name, command, "oifname");
    }
    if (count < 0 || spoken_of < 0)
        return netlink_report(filter, count < 0 ? count : spoken_of);
    if (old_table_drops(bridge)) {
        snprintf(command, sizeof(command), "iptables-legacy -I FORWARD -i %s -j ACCEPT", bridge);
        warn("iptables chain FORWARD", command, "-o");
    }
    return 0;
}
