#include "bridge.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../01-chroot/tool.h"
#include "setting.h"

enum { DEFAULT_ADDRESS = 0xac1b0001 /* 172.27.0.1 */, DEFAULT_PREFIX = 16 };

int bridge_report(const struct host *host, int error)
{
    if (error == -EOPNOTSUPP)
        hint("this kernel lacks that kind of link; 'modprobe -a bridge veth' may help");
    return netlink_report(&host->route, error);
}

static int send_route(struct host *host)
{
    int error = netlink_send(&host->route);

    return error == 0 ? 0 : bridge_report(host, error);
}

static int read_addresses(struct host *host)
{
    free(host->addresses);
    host->address_count = link_addresses(&host->route, &host->addresses);
    return host->address_count < 0 ? netlink_report(&host->route, host->address_count) : 0;
}

/* Another link, whose network overlaps that of the bridge; NULL if there is none. */
static const struct address *overlapping(const struct host *host, uint32_t address, int prefix)
{
    for (int i = 0; i < host->address_count; i++) {
        const struct address *other = &host->addresses[i];
        uint32_t mask = link_mask(prefix < other->prefix ? prefix : other->prefix);
        if ((address & mask) == (other->address & mask))
            return other;
    }
    return NULL;
}

/* Two such links would leave the host not knowing where to send. */
static int check_overlap(struct host *host, uint32_t address, int prefix)
{
    const struct address *other = overlapping(host, address, prefix);
    char text[LINK_ADDRESS_TEXT], other_text[LINK_ADDRESS_TEXT], name[IF_NAMESIZE];

    if (other != NULL) { /* of a dead box, perhaps */
        claim_sweep(claim_home(), true);
        int error = read_addresses(host);
        if (error != 0)
            return error;
        other = overlapping(host, address, prefix);
    }
    if (other == NULL)
        return 0;
    hint("choose another network, like --bridge-address 172.28.0.1/16, or that bridge");
    return refuse("bridge address %s/%d overlaps the network %s/%d of %s",
                  link_address_text(address, text), prefix,
                  link_address_text(other->address, other_text), other->prefix,
                  if_indextoname((unsigned)other->link, name) ? name : "another link");
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
    int error;

    if (network->bridge_address == 0)
        network->bridge_address = DEFAULT_ADDRESS;
    if (network->bridge_prefix == 0)
        network->bridge_prefix = DEFAULT_PREFIX;
    error = bridge_check_address(network, network->bridge_address, "bridge address");
    if (error == 0)
        error = check_overlap(host, network->bridge_address, network->bridge_prefix);
    if (error == 0)
        error = claim_note(&network->bridge_claim, "bridge %s", network->bridge);
    if (error != 0)
        return error;
    link_add_bridge(&host->route, network->bridge, network->bridge_claim.token);
    error = send_route(host);
    if (error == 0)
        error = setting_disable_ipv6(network->bridge);
    if (error != 0)
        return error;
    if ((error = link_find(&host->route, network->bridge, &host->bridge)) != 0)
        return netlink_report(&host->route, error);
    link_add_address(&host->route, network->bridge, host->bridge.index, network->bridge_address,
                     network->bridge_prefix);
    return send_route(host);
}

/* The bridge is there: does it do for what was asked? */
static int use_bridge(struct network *network, const struct host *host)
{
    const struct link *bridge = &host->bridge;
    const struct address *own = NULL;
    char text[LINK_ADDRESS_TEXT + sizeof("/30")];

    if (strcmp(bridge->kind, "bridge") != 0)
        return refuse("%s is there, and is a link of another kind (%s), not a bridge", bridge->name,
                      bridge->kind[0] ? bridge->kind : "hardware or loopback");
    for (int i = 0; i < host->address_count && own == NULL; i++) {
        const struct address *each = &host->addresses[i];
        if (each->link == bridge->index &&
            (network->bridge_address == 0 || network->bridge_address == each->address))
            own = each;
    }
    if (own == NULL || own->prefix > 30 ||
        (network->bridge_prefix != 0 && network->bridge_prefix != own->prefix)) {
        hint("'ip address show dev %s' lists what it has; another --bridge gets what you ask",
             bridge->name);
        if (network->bridge_address == 0)
            return refuse("bridge %s is there, without an IPv4 network of its own", bridge->name);
        link_address_text(network->bridge_address, text);
        if (network->bridge_prefix != 0)
            snprintf(text + strlen(text), sizeof("/30"), "/%d", network->bridge_prefix);
        return refuse("bridge %s is there, and its address is not %s", bridge->name, text);
    }
    if (!bridge->up) {
        hint("'ip link set %s up'", bridge->name);
        return refuse("bridge %s is there, and is down", bridge->name);
    }
    network->bridge_address = own->address;
    network->bridge_prefix = own->prefix;
    return 0;
}

/* Join the others on the bridge, or be the first: then it is made, unless it is the host's own. */
int bridge_join(struct network *network, struct host *host)
{
    char name[NAME_MAX], accept[64];
    int first, error;

    snprintf(name, sizeof(name), "bridge-%s", network->bridge);
    snprintf(accept, sizeof(accept), "ipv6/conf/%s/accept_ra", network->bridge);
    first = claim_share(&network->bridge_claim, claim_home(), name);
    if (first == 1) {
        network->first = true;
        if ((error = read_addresses(host)) != 0)
            return error;
        error = link_find(&host->route, network->bridge, &host->bridge);
        if (error == -ENODEV)
            error = make_bridge(network, host);
        else if (error == 0 && strcmp(host->bridge.kind, "bridge") == 0)
            error = setting_change(&network->bridge_claim, accept, '0');
        else if (error != 0)
            error = netlink_report(&host->route, error);
        if (error != 0)
            return error;
        first = claim_made(&network->bridge_claim);
    }
    if (first < 0)
        return first;
    if ((error = link_find(&host->route, network->bridge, &host->bridge)) != 0)
        return netlink_report(&host->route, error);
    error = read_addresses(host);
    return error == 0 ? use_bridge(network, host) : error;
}
