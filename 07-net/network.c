#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "forward.h"
#include "host.h"
#include "link.h"
#include "setting.h"

enum { DEFAULT_ADDRESS = 0xac1b0001, DEFAULT_PREFIX = 16 }; /* 172.27.0.1/16 */

/* Does the box need anything of nf_tables? */
static bool network_has_rules(const struct network *network)
{
    return network->nat || network->port_count > 0;
}

/* Two links whose networks overlap would leave the host not knowing where to send. */
static int check_overlap(const struct host *host, uint32_t address, int prefix)
{
    char text[LINK_ADDRESS_TEXT], other_text[LINK_ADDRESS_TEXT];

    for (int i = 0; i < host->links.address_count; i++) {
        const struct address *other = &host->links.addresses[i];
        uint32_t mask = link_mask(prefix < other->prefix ? prefix : other->prefix);
        const struct link *link = link_numbered(&host->links, other->link);
        if ((address & mask) != (other->address & mask))
            continue;
        hint("choose another network, like --bridge-address 172.28.0.1/16, or that bridge");
        return refuse("bridge address %s/%d overlaps the network %s/%d of %s",
                      link_address_text(address, text), prefix,
                      link_address_text(other->address, other_text), other->prefix,
                      link ? link->name : "another link");
    }
    return 0;
}

static int check_in_network(const struct network *network, uint32_t address, const char *what)
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

static int make_bridge(struct network *network, struct host *host, struct link *bridge)
{
    int error;

    if (network->bridge_address == 0)
        network->bridge_address = DEFAULT_ADDRESS;
    if (network->bridge_prefix == 0)
        network->bridge_prefix = DEFAULT_PREFIX;
    error = check_in_network(network, network->bridge_address, "bridge address");
    if (error == 0)
        error = check_overlap(host, network->bridge_address, network->bridge_prefix);
    if (error != 0)
        return error;
    bridge->group = network->bridge_address & INT32_MAX; /* a number that nobody else has */
    link_add_bridge(&host->route, network->bridge, network->bridge_address, bridge->group);
    link_set_alias(&host->route, network->bridge, HOST_MARK);
    network->touched = true;
    error = host_send(host);
    if (error != 0)
        return error;
    bridge->index = (int)if_nametoindex(network->bridge);
    link_add_address(&host->route, network->bridge, bridge->index, network->bridge_address,
                     network->bridge_prefix);
    return host_send(host);
}

/* The bridge is there: does it do for what was asked? */
static int use_bridge(struct network *network, const struct host *host, const struct link *bridge)
{
    const struct address *own = NULL;
    char text[LINK_ADDRESS_TEXT + sizeof("/30")];

    if (strcmp(bridge->kind, "bridge") != 0)
        return refuse("%s is there, and is a link of another kind (%s), not a bridge", bridge->name,
                      bridge->kind[0] ? bridge->kind : "hardware or loopback");
    for (int i = 0; i < host->links.address_count; i++) {
        const struct address *each = &host->links.addresses[i];
        if (each->link == bridge->index &&
            (network->bridge_address == 0 || network->bridge_address == each->address)) {
            own = each;
            break;
        }
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

static int find_bridge(struct network *network, struct host *host, struct link *bridge)
{
    const struct link *there = link_named(&host->links, network->bridge);

    memset(bridge, 0, sizeof(*bridge));
    if (there == NULL) {
        snprintf(bridge->name, sizeof(bridge->name), "%s", network->bridge);
        return make_bridge(network, host, bridge);
    }
    *bridge = *there;
    return use_bridge(network, host, bridge);
}

static const char just_ended[] = "a box that has just ended";

/* Who has ADDRESS already? NULL if nobody. */
static const char *holder(const struct network *network, const struct host *host, uint32_t address)
{
    char name[IF_NAMESIZE];

    if (address == network->bridge_address)
        return "the bridge";
    if (address == network->gateway)
        return "the gateway";
    for (int i = 0; i < host->links.address_count; i++)
        if (host->links.addresses[i].address == address)
            return "this host";
    host_name_box(address, name);
    const struct link *link = link_named(&host->links, name);
    if (link != NULL && !host_is_box(link))
        return "another link";
    if (host_box_lives(name))
        return "another box";
    return link != NULL ? just_ended : NULL;
}

/*
 * The kernel needs some milliseconds to clear away the namespace of a box that has ended, and then
 * deletes its link. Who wants the same address can't wait for that.
 */
static int delete_ended(struct host *host, uint32_t address)
{
    char name[IF_NAMESIZE];

    host_name_box(address, name);
    link_delete(&host->route, name);
    int error = netlink_send(&host->route);
    return error == 0 || error == -ENODEV ? 0 : netlink_report(&host->route, error);
}

static int take_asked_address(struct network *network, struct host *host)
{
    char text[LINK_ADDRESS_TEXT];
    int error = check_in_network(network, network->address, "address");

    if (error != 0)
        return error;
    link_address_text(network->address, text);
    if (network->prefix != 0 && network->prefix != network->bridge_prefix)
        return refuse("address %s/%d: the bridge's network has the prefix /%d", text,
                      network->prefix, network->bridge_prefix);
    const char *other = holder(network, host, network->address);
    if (other == just_ended)
        return delete_ended(host, network->address);
    return other == NULL ? 0 : refuse("address %s is in use by %s", text, other);
}

static int choose_address(struct network *network, struct host *host)
{
    uint32_t mask = link_mask(network->bridge_prefix);
    uint32_t first = (network->bridge_address & mask) + 1, last = (first | ~mask) - 1;
    int error = 0;

    if (network->gateway != 0)
        error = check_in_network(network, network->gateway, "gateway");
    if (error == 0 && network->address != 0) {
        error = take_asked_address(network, host);
    } else if (error == 0) {
        for (network->address = first; holder(network, host, network->address) != NULL;)
            if (network->address++ == last)
                return refuse("no address is free in the network of bridge %s", network->bridge);
    }
    network->lease->address = network->address;
    network->lease->prefix = network->bridge_prefix;
    network->lease->gateway = network->gateway ? network->gateway : network->bridge_address;
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

static int add_pair(struct network *network, struct host *host, const struct link *bridge,
                    pid_t box)
{
    char path[64], alias[LINK_ALIAS], address[LINK_ADDRESS_TEXT];

    snprintf(path, sizeof(path), "/proc/%d/ns/net", box);
    network->name_space = open(path, O_RDONLY | O_CLOEXEC);
    if (network->name_space == -1)
        return errno == ENOENT ? host_box_ended(box) : report("open %s", path);
    host_name_box(network->address, network->link);
    network->held = host_hold_box(network->link);
    if (network->held < 0)
        return network->held;
    snprintf(alias, sizeof(alias), HOST_MARK " %s", link_address_text(network->address, address));
    network->touched = true;
    link_add_pair(&host->route, network->link, bridge, network->name_space, network->address,
                  network->port_count > 0);
    link_set_alias(&host->route, network->link, alias);
    return host_send(host);
}

static int add_rules(struct network *network, struct host *host)
{
    struct nat nat = {
        .bridge = network->bridge,
        .network = network->bridge_address & link_mask(network->bridge_prefix),
        .prefix = network->bridge_prefix,
        .address = network->address,
        .masquerade = network->nat,
        .ports = network->ports,
        .port_count = network->port_count,
    };
    char localnet[64];
    int error;

    if (!network_has_rules(network))
        return 0;
    error = setting_note_forwarding(&host->links, &host->tables, nat.note);
    snprintf(localnet, sizeof(localnet), "conf/%s/route_localnet", network->bridge);
    for (int i = 0; i < network->port_count && error == 0; i++) {
        if (network->ports[i].address >> 24 == 127) {
            error = setting_note(localnet, &host->tables, nat.note);
            break;
        }
    }
    snprintf(nat.table, sizeof(nat.table), NAT_PREFIX "%s", network->link);
    if (error == 0)
        error = nat_add(&host->filter, &nat);
    if (error != 0)
        return error;
    /* From here on it is known what to restore, even if this process is killed. */
    error = setting_apply(nat.note);
    return error == 0 ? forward_warn(&host->filter, network->bridge) : error;
}

int network_attach(struct network *network, pid_t box)
{
    struct host host;
    struct link bridge;
    int error;

    if ((error = proc_check()) != 0)
        return error;
    if ((error = host_enter(&host, network_has_rules(network))) == 0 &&
        (error = host_sweep(&host)) == 0 && (error = find_bridge(network, &host, &bridge)) == 0)
        error = choose_address(network, &host);
    for (int i = 0; i < network->port_count && error == 0; i++)
        error = hold_port(&network->ports[i]);
    if (error == 0)
        error = add_pair(network, &host, &bridge, box);
    if (error == 0)
        error = add_rules(network, &host);
    host_leave(&host);
    return error;
}

/* Box. Send what has been built, or end. */
static void send_or_die(struct netlink *netlink)
{
    int error = netlink_send(netlink);

    if (error != 0) {
        (void)netlink_report(netlink, error);
        exit(EXIT_TOOL);
    }
    netlink_close(netlink);
}

static void open_or_die(struct netlink *netlink)
{
    int error = netlink_open(netlink, NETLINK_ROUTE);

    if (error != 0) {
        (void)netlink_report(netlink, error);
        exit(EXIT_TOOL);
    }
}

void network_configure(const struct network *network)
{
    const struct lease *lease = network->lease;
    struct netlink netlink;

    open_or_die(&netlink);
    link_up(&netlink, "lo", false);
    link_up(&netlink, "eth0", network->has_ipv6);
    link_add_address(&netlink, "eth0", 0, lease->address, lease->prefix);
    /* EXERCISE 7.2: the box knows its neighbours, but no way beyond. rtnetlink(7), RTM_NEWROUTE */
    link_add_default_route(&netlink, lease->gateway);
    /* END */
    send_or_die(&netlink);
}

void network_loopback(void)
{
    struct netlink netlink;

    open_or_die(&netlink);
    link_up(&netlink, "lo", false);
    send_or_die(&netlink);
}

int network_clear(void)
{
    struct host host;
    int error = host_enter(&host, false);

    if (error == 0)
        error = host_sweep(&host);
    host_leave(&host);
    return error;
}

/*
 * While the kernel clears away a network namespace, for up to 30 ms, all others wait who ask for
 * links. So the box's is held until what is asked here has been answered.
 */
int network_release(struct network *network)
{
    int error = 0;

    /* From now on the box is a dead one, and swept as if it had been killed. */
    if (network->held >= 0)
        close(network->held);
    if (network->touched)
        error = network_clear();
    if (error != 0)
        (void)network_clear(); /* the error has been told; but perhaps it was a passing one */
    for (int i = 0; i < network->port_count; i++)
        if (network->ports[i].socket != -1)
            close(network->ports[i].socket);
    if (network->name_space != -1)
        close(network->name_space);
    return error;
}
