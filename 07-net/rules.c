#include "rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../01-chroot/tool.h"
#include "conntrack.h"
#include "forward.h"
#include "setting.h"

static int join_table(struct network *network, struct host *host)
{
    int error, first = claim_share(&network->table_claim, claim_home(), "net");

    if (first == 1) {
        error = claim_note(&network->table_claim, "table");
        if (error == 0)
            error = nat_add_table(&host->filter, network->table_claim.token);
        if (error == 0)
            error = forward_warn(&host->filter, network->bridge);
        if (error != 0)
            return error;
        first = claim_made(&network->table_claim);
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

/* Whether a packet is forwarded depends on the link that it comes in by. NAME is its setting. */
static bool is_off(const char *link, char name[64])
{
    snprintf(name, 64, "ipv4/conf/%s/forwarding", link);
    return setting_read("ipv4/ip_forward") == '0' && setting_read(name) == '0';
}

static int forward_from(struct claim *claim, const char *link)
{
    char name[64];

    if (!is_off(link, name))
        return 0;
    int error = claim_note(claim, "forwarding %s", link);
    return error == 0 ? setting_write(name, '1') : error;
}

/* The bridge's share of the rules and settings: the first that needs them sees to it. */
static int join_rules(struct network *network, struct host *host)
{
    struct claim *claim = &network->rules_claim;
    char name[NAME_MAX], localnet[64], same[2 * IF_NAMESIZE + 4], range[LINK_ADDRESS_TEXT + 4];
    int error;

    snprintf(name, sizeof(name), "rules-%s", network->bridge);
    snprintf(localnet, sizeof(localnet), "ipv4/conf/%s/route_localnet", network->bridge);
    snprintf(same, sizeof(same), "%s . %s", network->bridge, network->bridge);
    link_address_text(network->bridge_address & link_mask(network->bridge_prefix), range);
    snprintf(range + strlen(range), sizeof("/30"), "/%d", network->bridge_prefix);
    int first = claim_share(claim, claim_home(), name);
    if (first == 1) {
        error = add_element(host, claim, "bridges", network->bridge, NULL);
        if (error == 0)
            error = add_element(host, claim, "same", same, NULL);
        if (error == 0)
            error = add_element(host, claim, "networks", range, NULL);
        if (error == 0)
            error = setting_change(claim, localnet, '1');
        if (error == 0)
            error = forward_from(claim, network->bridge);
        if (error != 0)
            return error == -EEXIST ? refuse("the rules know %s already", network->bridge) : error;
        first = claim_made(claim);
    }
    return first;
}

/* The other links of the host forward as well, so that answers come back, and callers come in. */
static int join_uplinks(struct network *network, struct host *host)
{
    char link[IF_NAMESIZE], name[64];
    int error = 0;

    for (int i = 0; i < host->address_count && error == 0; i++) {
        if (if_indextoname((unsigned)host->addresses[i].link, link) == NULL ||
            strcmp(link, "lo") == 0 || host->addresses[i].link == host->bridge.index ||
            !is_off(link, name))
            continue;
        error = add_element(host, &network->table_claim, "uplinks", link, NULL);
        if (error == 0 || error == -EEXIST)
            error = forward_from(&network->table_claim, link);
    }
    return error;
}

/*
 * What is left of a server's connections keeps its port for a minute after the server has ended,
 * TIME_WAIT. SO_REUSEADDR does not mind that, nor a second box, until one listens: so listen for a
 * moment, and have the port for oneself from then on. socket(7)
 */
static int bind_port(int file, const struct sockaddr_in *address, int protocol)
{
    int reuse = protocol == IPPROTO_TCP && address->sin_port != 0;

    setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
    if (bind(file, (const struct sockaddr *)address, sizeof(*address)) == -1)
        return -1;
    if (protocol != IPPROTO_TCP)
        return 0;
    if (listen(file, 0) == -1)
        return -1;
    reuse = false;
    setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
    return shutdown(file, SHUT_RD); /* it stays bound */
}

/*
 * A socket that is bound, and does not listen, keeps the published port: the kernel says no to a
 * second box and to any server on this host, and frees the port however the tool ends.
 */
static int hold_port(struct publish *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port->port)};
    socklen_t size = sizeof(address);
    const char *protocol = port->protocol == IPPROTO_TCP ? "tcp" : "udp";
    char text[LINK_ADDRESS_TEXT];

    address.sin_addr.s_addr = htonl(port->address);
    link_address_text(port->address, text);
    port->socket =
        socket(AF_INET, (port->protocol == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC,
               port->protocol);
    if (port->socket != -1 && bind_port(port->socket, &address, port->protocol) == 0 &&
        getsockname(port->socket, (struct sockaddr *)&address, &size) == 0) {
        port->port = ntohs(address.sin_port);
        return 0;
    }
    if (errno == EADDRINUSE)
        hint("another box or a server on this host has port %d: 'ss -lntup' lists servers",
             port->port);
    if (errno == EADDRNOTAVAIL)
        hint("'ip address' lists the addresses of this host");
    return report("publish %s:%d/%s", text, port->port, protocol);
}

/* Another port of the same number, at all addresses, holds this one as well. */
static bool is_covered(const struct network *network, const struct publish *port)
{
    bool covered = false;

    for (int i = 0; i < network->port_count && port->address != 0 && port->port != 0; i++)
        covered =
            covered || (network->ports[i].address == 0 && network->ports[i].port == port->port &&
                        network->ports[i].protocol == port->protocol);
    return covered;
}

static int publish(struct network *network, struct host *host, struct publish *port)
{
    char key[64], data[64], text[LINK_ADDRESS_TEXT];
    int error = is_covered(network, port) ? 0 : hold_port(port);

    if (error != 0)
        return error;
    snprintf(key, sizeof(key), "%s . %s . %d", link_address_text(port->address, text),
             port->protocol == IPPROTO_TCP ? "tcp" : "udp", port->port);
    snprintf(data, sizeof(data), "%s . %d", link_address_text(network->address, text),
             port->box_port);
    error = add_element(host, &network->claim, "ports", key, data);
    if (error == -EEXIST) {
        claim_sweep(claim_home(), true); /* of a dead box: nobody living holds the port */
        error = add_element(host, &network->claim, "ports", key, data);
    }
    if (error == -EEXIST)
        return refuse("publish %s: the rules have it already", key);
    return error == 0 && port->protocol == IPPROTO_UDP ? conntrack_forget(&host->filter, port)
                                                       : error;
}

int rules_join(struct network *network, struct host *host)
{
    int error = netlink_open(&host->filter, NETLINK_NETFILTER);

    if (error != 0)
        return nat_report(&host->filter, error);
    if ((error = join_table(network, host)) != 0 || (error = join_rules(network, host)) != 0 ||
        (error = join_uplinks(network, host)) != 0)
        return error;
    if (network->port_count > 0)
        error = claim_take(&network->claim, claim_home(), NULL);
    for (int i = 0; i < network->port_count && error == 0; i++)
        error = publish(network, host, &network->ports[i]);
    return error;
}
