#include "bridge.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../01-chroot/tool.h"
#include "setting.h"

enum { DEFAULT_ADDRESS = 0xac1b0001 /* 172.27.0.1 */, DEFAULT_PREFIX = 16, LONGEST_PREFIX = 30 };

/* What is there: the addresses of this host, and the bridge. Returns -ENODEV, without report(), if
 * there is none yet. */
static int look(const struct network *network, struct host *host)
{
    free(host->addresses);
    host->address_count = link_addresses(&host->route, &host->addresses);
    if (host->address_count < 0)
        return netlink_report(&host->route, host->address_count);
    int error = link_find(&host->route, network->bridge, &host->bridge);
    return error == 0 || error == -ENODEV ? error : netlink_report(&host->route, error);
}

/* Another link whose network overlaps would leave the host not knowing where to send. */
static int check_overlap(const struct network *network, const struct host *host)
{
    char text[LINK_ADDRESS_TEXT], name[IF_NAMESIZE];

    for (int i = 0; i < host->address_count; i++) {
        const struct address *other = &host->addresses[i];
        int prefix =
            other->prefix < network->bridge_prefix ? other->prefix : network->bridge_prefix;
        if (((network->bridge_address ^ other->address) & link_mask(prefix)) != 0)
            continue;
        hint("choose another network, like --bridge-address 172.28.0.1/16, or that bridge");
        return refuse("the bridge's network overlaps %s/%d of %s",
                      link_address_text(other->address, text), other->prefix,
                      if_indextoname((unsigned)other->link, name) ? name : "another link");
    }
    return 0;
}

int bridge_check_address(const struct network *network, uint32_t address, const char *what)
{
    uint32_t mask = link_mask(network->bridge_prefix);
    char text[LINK_ADDRESS_TEXT], own[LINK_ADDRESS_TEXT];

    if ((address & mask) == (network->bridge_address & mask) && (address & ~mask) != 0 &&
        (address & ~mask) != ~mask)
        return 0;
    link_address_text(network->bridge_address, own);
    return refuse("%s %s is not one of the bridge's network %s/%d", what,
                  link_address_text(address, text), own, network->bridge_prefix);
}

/* The bridge is new: up, with an address, and without IPv6, of which the boxes have none. */
static int make_bridge(struct network *network, struct host *host)
{
    const char *name = network->bridge;
    int error;

    if (network->bridge_address == 0)
        network->bridge_address = DEFAULT_ADDRESS;
    if (network->bridge_prefix == 0)
        network->bridge_prefix = DEFAULT_PREFIX;
    error = bridge_check_address(network, network->bridge_address, "bridge address");
    if (error == 0)
        error = check_overlap(network, host);
    if (error == 0)
        error = claim_note(&network->bridge_claim, "bridge %s", name);
    if (error != 0)
        return error;
    link_add_bridge(&host->route, name, network->bridge_claim.token);
    error = netlink_send(&host->route);
    if (error != 0)
        return netlink_report(&host->route, error);
    error = setting_disable_ipv6(name);
    if (error != 0)
        return error;
    link_add_address(&host->route, name, network->bridge_address, network->bridge_prefix);
    error = netlink_send(&host->route);
    return error == 0 ? 0 : netlink_report(&host->route, error);
}

/* The bridge is there: does it do for what was asked? */
static int use_bridge(struct network *network, const struct host *host)
{
    const struct address *own = NULL;

    for (int i = 0; i < host->address_count && own == NULL; i++) {
        const struct address *each = &host->addresses[i];
        if (each->link == host->bridge.index && each->prefix <= LONGEST_PREFIX &&
            (network->bridge_address == 0 || network->bridge_address == each->address) &&
            (network->bridge_prefix == 0 || network->bridge_prefix == each->prefix))
            own = each;
    }
    if (!host->bridge.is_bridge)
        return refuse("%s is there, and is not a bridge", network->bridge);
    if (own == NULL || !host->bridge.up) {
        hint("'ip address show dev %s' shows what it has; another --bridge gets what you ask",
             network->bridge);
        return refuse("bridge %s is there, and %s", network->bridge,
                      own == NULL ? "does not have such an IPv4 network" : "is down");
    }
    network->bridge_address = own->address;
    network->bridge_prefix = own->prefix;
    return 0;
}

int bridge_join(struct network *network, struct host *host)
{
    char name[NAME_MAX], accept[64];
    int first, error;

    snprintf(name, sizeof(name), "bridge-%s", network->bridge);
    snprintf(accept, sizeof(accept), "ipv6/conf/%s/accept_ra", network->bridge);
    first = claim_share(&network->bridge_claim, claim_home(), name);
    if (first == 1) {
        network->first = true;
        claim_sweep(claim_home(), true); /* a dead box's bridge may have our network */
        error = look(network, host);
        if (error == -ENODEV)
            error = make_bridge(network, host);
        else if (error == 0 && host->bridge.is_bridge)
            error = setting_change(&network->bridge_claim, accept, '0');
        if (error != 0)
            return error;
        first = claim_made(&network->bridge_claim);
    }
    if (first < 0)
        return first;
    error = look(network, host);
    if (error == -ENODEV)
        return netlink_report(&host->route, error);
    return error == 0 ? use_bridge(network, host) : error;
}

static int join_table(struct network *network, struct host *host)
{
    struct claim *claim = &network->table_claim;
    int error, first = claim_share(claim, claim_home(), "net");

    if (first == 1) {
        error = claim_note(claim, "table");
        if (error == 0)
            error = nat_add_table(&host->filter, claim->token);
        if (error != 0)
            return error;
        first = claim_made(claim);
    }
    return first;
}

/* Write a line about an element, then add it. */
static int add_element(struct host *host, struct claim *claim, const char *set, const char *key,
                       const char *data)
{
    int error = claim_note(claim, "element %s %s", set, key);

    return error == 0 ? nat_add_element(&host->filter, set, key, data, claim->token) : error;
}

/* The bridge's share of the rules and settings: the first that needs them sees to it. */
static int join_rules(struct network *network, struct host *host)
{
    struct claim *claim = &network->rules_claim;
    const char *bridge = network->bridge;
    char name[NAME_MAX], localnet[64], same[2 * IF_NAMESIZE + 4];
    int error;

    snprintf(name, sizeof(name), "rules-%s", bridge);
    snprintf(localnet, sizeof(localnet), "ipv4/conf/%s/route_localnet", bridge);
    snprintf(same, sizeof(same), "%s . %s", bridge, bridge);
    int first = claim_share(claim, claim_home(), name);
    if (first == 1) {
        error = add_element(host, claim, "bridges", bridge, NULL);
        if (error == 0)
            error = add_element(host, claim, "same", same, NULL);
        if (error == 0)
            error = setting_change(claim, localnet, '1');
        if (error == 0)
            error = setting_forward(claim, bridge);
        if (error != 0)
            return error == -EEXIST ? refuse("the rules know %s already", bridge) : error;
        first = claim_made(claim);
    }
    return first;
}

/* The other links of the host forward as well, so that answers come back, and callers come in. */
static int join_uplinks(struct network *network, struct host *host)
{
    struct claim *claim = &network->table_claim;
    char link[IF_NAMESIZE];
    int error = 0;

    for (int i = 0; i < host->address_count && error == 0; i++) {
        if (if_indextoname((unsigned)host->addresses[i].link, link) == NULL ||
            strcmp(link, "lo") == 0 || host->addresses[i].link == host->bridge.index ||
            setting_forwards(link))
            continue;
        error = nat_add_element(&host->filter, "uplinks", link, NULL, claim->token);
        if (error == 0 || error == -EEXIST) /* the set goes with the table, which has its line */
            error = setting_forward(claim, link);
    }
    return error;
}

int rules_join(struct network *network, struct host *host)
{
    int error = netlink_open(&host->filter, NETLINK_NETFILTER);

    if (error != 0)
        return netlink_report(&host->filter, error);
    if ((error = join_table(network, host)) != 0 || (error = join_rules(network, host)) != 0 ||
        (error = join_uplinks(network, host)) != 0)
        return error;
    return publish_ports(network, host);
}
