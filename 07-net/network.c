#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "link.h"
#include "setting.h"

/* Our note on a link: on a bridge this word alone, on a box's pair the word, the box's address,
 * and after the box's end one word more. */
#define MARK  "ten-steps"
#define ENDED "ended"

enum { DEFAULT_ADDRESS = 0xac1b0001, DEFAULT_PREFIX = 16 }; /* 172.27.0.1/16 */

/* All that is known while a start or an end has its turn. */
struct host {
    int lock;
    struct netlink route, filter;
    struct links links;
    struct nat_tables tables;
};

static bool is_box(const struct link *link)
{
    return strcmp(link->kind, "veth") == 0 && strncmp(link->alias, MARK " ", strlen(MARK " ")) == 0;
}

static bool has_ended(const struct link *link)
{
    return is_box(link) && strstr(link->alias, " " ENDED) != NULL;
}

static uint32_t address_of(const struct link *box)
{
    char text[LINK_ALIAS];
    struct in_addr in;

    snprintf(text, sizeof(text), "%s", box->alias + strlen(MARK " "));
    text[strcspn(text, " ")] = '\0';
    return inet_pton(AF_INET, text, &in) == 1 ? ntohl(in.s_addr) : 0;
}

/* Who comes first has the namespace to himself until leave(). The lock dies with its holder. */
static int enter(struct host *host)
{
    int error;

    memset(&host->links, 0, sizeof(host->links));
    memset(&host->tables, 0, sizeof(host->tables));
    host->route.socket = host->filter.socket = -1;
    host->lock = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (host->lock == -1)
        return report("open /proc/self/ns/net");
    while (flock(host->lock, LOCK_EX) == -1)
        if (errno != EINTR)
            return report("flock /proc/self/ns/net");
    if ((error = netlink_open(&host->route, NETLINK_ROUTE)) != 0 ||
        (error = netlink_open(&host->filter, NETLINK_NETFILTER)) != 0 ||
        (error = link_list(&host->route, &host->links)) != 0 ||
        (error = nat_list(&host->filter, &host->tables)) != 0)
        return error;
    return 0;
}

static void leave(struct host *host)
{
    link_free(&host->links);
    nat_free(&host->tables);
    netlink_close(&host->route);
    netlink_close(&host->filter);
    if (host->lock != -1)
        close(host->lock);
}

/* Does a link keep the bridge in use? BUT is the name of one that does not count. */
static bool is_used(const struct host *host, const struct link *bridge, const char *but)
{
    for (int i = 0; i < host->links.link_count; i++) {
        const struct link *port = &host->links.links[i];
        if (port->master == bridge->index && !has_ended(port) && strcmp(port->name, but) != 0)
            return true;
    }
    return false;
}

static int send_route(struct host *host)
{
    int error = netlink_send(&host->route);

    if (error == -EOPNOTSUPP)
        hint("this kernel lacks that kind of link; 'modprobe -a bridge veth' may help");
    return error == 0 ? 0 : netlink_report(&host->route, error);
}

/* Delete a bridge of ours, and with it what is left of the boxes on it. */
static int delete_bridge(struct host *host, const struct link *bridge)
{
    bool ours_alone = bridge->group != 0;

    for (int i = 0; i < host->links.link_count; i++) {
        const struct link *other = &host->links.links[i];
        if (other->group == bridge->group && other->index != bridge->index && !is_box(other))
            ours_alone = false; /* somebody has put another link into the group */
    }
    if (ours_alone)
        link_delete_group(&host->route, bridge->group);
    else
        link_delete(&host->route, bridge->name);
    return send_route(host);
}

/* Take back what boxes left whose tool was killed: rules, settings and bridges without a box. */
static int sweep(struct host *host)
{
    struct nat_tables *tables = &host->tables;
    int error = 0;

    for (int i = 0; i < tables->count && error == 0; i++) {
        struct nat_table dead = tables->tables[i];
        const struct link *box = link_named(&host->links, dead.name + strlen(NAT_PREFIX));
        if (box != NULL && is_box(box) && !has_ended(box))
            continue;
        error = nat_delete(&host->filter, dead.name);
        if (error == 0)
            error = setting_restore(dead.note, tables, dead.name);
        tables->tables[i--] = tables->tables[--tables->count];
    }
    for (int i = 0; i < host->links.link_count && error == 0; i++) {
        struct link *bridge = &host->links.links[i];
        if (strcmp(bridge->kind, "bridge") != 0 || strcmp(bridge->alias, MARK) != 0 ||
            is_used(host, bridge, ""))
            continue;
        error = delete_bridge(host, bridge);
        bridge->name[0] = '\0';
    }
    return error;
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

static int make_bridge(struct network *network, struct host *host, struct link *bridge)
{
    int error;

    if (network->bridge_address == 0)
        network->bridge_address = DEFAULT_ADDRESS;
    if (network->bridge_prefix == 0)
        network->bridge_prefix = DEFAULT_PREFIX;
    error = check_overlap(host, network->bridge_address, network->bridge_prefix);
    if (error != 0)
        return error;
    bridge->group = network->bridge_address; /* a number that nobody else has */
    link_add_bridge(&host->route, network->bridge, bridge->group);
    link_set_alias(&host->route, network->bridge, MARK);
    error = send_route(host);
    network->bridge_is_ours = error != -EEXIST;
    if (error != 0)
        return error;
    bridge->index = (int)if_nametoindex(network->bridge);
    link_add_address(&host->route, network->bridge, bridge->index, network->bridge_address,
                     network->bridge_prefix);
    return send_route(host);
}

/* The bridge is there: does it do for what was asked? */
static int use_bridge(struct network *network, const struct host *host, const struct link *bridge)
{
    const struct address *own = NULL;
    char text[LINK_ADDRESS_TEXT];

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
        return refuse("bridge %s is there, and its address is not %s/%d", bridge->name,
                      link_address_text(network->bridge_address, text), network->bridge_prefix);
    }
    if (!bridge->up) {
        hint("'ip link set %s up'", bridge->name);
        return refuse("bridge %s is there, and is down", bridge->name);
    }
    network->bridge_is_ours = strcmp(bridge->alias, MARK) == 0;
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

/* Who has ADDRESS already? NULL if nobody. */
static const char *holder(const struct network *network, const struct host *host, uint32_t address)
{
    if (address == network->bridge_address)
        return "the bridge";
    if (address == network->gateway)
        return "the gateway";
    for (int i = 0; i < host->links.address_count; i++)
        if (host->links.addresses[i].address == address)
            return "this host";
    for (int i = 0; i < host->links.link_count; i++)
        if (is_box(&host->links.links[i]) && address_of(&host->links.links[i]) == address)
            return "another box";
    return NULL;
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

/*
 * A box that has just ended keeps its address until the kernel has cleared away its namespace,
 * which takes some milliseconds. So if another box has it, look a few times.
 */
static int take_asked_address(struct network *network, struct host *host)
{
    const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};
    char text[LINK_ADDRESS_TEXT];
    int error = check_in_network(network, network->address, "address");

    if (error == 0 && network->prefix != 0 && network->prefix != network->bridge_prefix)
        return refuse("address %s/%d: the bridge's network has the prefix /%d",
                      link_address_text(network->address, text), network->prefix,
                      network->bridge_prefix);
    for (int tries = 0; error == 0; tries++) {
        const char *other = holder(network, host, network->address);
        if (other == NULL)
            break;
        if (strcmp(other, "another box") != 0 || tries == 30)
            return refuse("address %s is in use by %s", link_address_text(network->address, text),
                          other);
        nanosleep(&moment, NULL);
        link_free(&host->links);
        error = link_list(&host->route, &host->links);
    }
    return error;
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
 * A socket that is bound, and never listens, keeps the published port: the kernel says no to a
 * second box and to any server on this host, and frees the port however the tool ends.
 */
static int hold_port(struct publish *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port->port)};
    const char *protocol = port->protocol == IPPROTO_TCP ? "tcp" : "udp";
    char text[LINK_ADDRESS_TEXT];

    address.sin_addr.s_addr = htonl(port->address);
    link_address_text(port->address, text);
    port->socket =
        socket(AF_INET, (port->protocol == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC,
               port->protocol);
    if (port->socket != -1 && bind(port->socket, (struct sockaddr *)&address, sizeof(address)) == 0)
        return 0;
    if (errno == EADDRINUSE)
        hint("another box or a server on this host has port %d: 'ss -lntup' lists servers",
             port->port);
    if (errno == EADDRNOTAVAIL)
        hint("'ip address' lists the addresses of this host");
    return report("publish %s:%d/%s", text, port->port, protocol);
}

/* The word "box" and the address in hexadecimal: no two boxes have it. */
static void name_link(struct network *network)
{
    snprintf(network->link, sizeof(network->link), "box-%08x", network->address);
}

static int add_pair(struct network *network, struct host *host, const struct link *bridge,
                    pid_t box)
{
    char path[64], alias[LINK_ALIAS], address[LINK_ADDRESS_TEXT];

    snprintf(path, sizeof(path), "/proc/%d/ns/net", box);
    int name_space = open(path, O_RDONLY | O_CLOEXEC);
    if (name_space == -1)
        return report("open %s", path);
    name_link(network);
    snprintf(alias, sizeof(alias), MARK " %s", link_address_text(network->address, address));
    link_add_pair(&host->route, network->link, bridge, name_space, network->port_count > 0);
    link_set_alias(&host->route, network->link, alias);
    int error = send_route(host);
    close(name_space);
    return error;
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

    if (!network->nat && network->port_count == 0)
        return 0;
    error = setting_note("net/ipv4/ip_forward", &host->tables, nat.note);
    snprintf(localnet, sizeof(localnet), "net/ipv4/conf/%s/route_localnet", network->bridge);
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
    memcpy(network->table, nat.table, sizeof(network->table));
    memcpy(network->note, nat.note, sizeof(network->note));
    return setting_apply(nat.note);
}

int network_attach(struct network *network, pid_t box)
{
    struct host host;
    struct link bridge;
    int error;

    if ((error = enter(&host)) == 0 && (error = sweep(&host)) == 0 &&
        (error = find_bridge(network, &host, &bridge)) == 0)
        error = choose_address(network, &host);
    for (int i = 0; i < network->port_count && error == 0; i++)
        error = hold_port(&network->ports[i]);
    if (error == 0)
        error = add_pair(network, &host, &bridge, box);
    if (error == 0)
        error = add_rules(network, &host);
    leave(&host);
    return error;
}

void network_configure(const struct network *network)
{
    const struct lease *lease = network->lease;
    bool has_ipv6 = access("/proc/sys/net/ipv6", F_OK) == 0;
    struct netlink netlink;

    if (netlink_open(&netlink, NETLINK_ROUTE) != 0)
        exit(EXIT_TOOL);
    link_up(&netlink, "lo", false);
    link_up(&netlink, "eth0", has_ipv6);
    link_add_address(&netlink, "eth0", 0, lease->address, lease->prefix);
    link_add_default_route(&netlink, lease->gateway);
    int error = netlink_send(&netlink);
    if (error != 0) {
        netlink_report(&netlink, error);
        exit(EXIT_TOOL);
    }
    netlink_close(&netlink);
}

void network_loopback(void)
{
    struct netlink netlink;

    if (netlink_open(&netlink, NETLINK_ROUTE) != 0)
        exit(EXIT_TOOL);
    /* EXERCISE 7.2: the one link of a new network namespace is down. rtnetlink(7), RTM_NEWLINK */
    link_up(&netlink, "lo", false);
    /* END */
    int error = netlink_send(&netlink);
    if (error != 0) {
        netlink_report(&netlink, error);
        exit(EXIT_TOOL);
    }
    netlink_close(&netlink);
}

/*
 * The last box takes a bridge of ours with it, and its own pair, so that nothing is to be seen of
 * it any more when the tool has ended: deleting both takes no longer than one. As long as other
 * boxes live the pair is only marked, as the kernel deletes it anyway once the box's namespace is
 * cleared away, some milliseconds from now.
 */
static int release_links(const struct network *network, struct host *host)
{
    const struct link *bridge = link_named(&host->links, network->bridge);
    char alias[LINK_ALIAS], address[LINK_ADDRESS_TEXT];

    if (network->bridge_is_ours && bridge != NULL && !is_used(host, bridge, network->link))
        return delete_bridge(host, bridge);
    if (link_named(&host->links, network->link) == NULL)
        return 0;
    snprintf(alias, sizeof(alias), MARK " %s " ENDED, link_address_text(network->address, address));
    link_set_alias(&host->route, network->link, alias);
    int error = netlink_send(&host->route); /* the kernel may have been quicker */
    return error == 0 || error == -ENODEV ? 0 : netlink_report(&host->route, error);
}

int network_release(struct network *network)
{
    struct host host;
    int error = 0, failed;

    if (network->link[0] == '\0' && !network->bridge_is_ours)
        return 0; /* nothing was made */
    error = enter(&host);
    if (error == 0 && network->table[0] != '\0') {
        error = nat_delete(&host.filter, network->table);
        failed = setting_restore(network->note, &host.tables, network->table);
        error = error ? error : failed;
    }
    if (host.lock != -1 && host.route.socket != -1) {
        failed = release_links(network, &host);
        error = error ? error : failed;
    }
    leave(&host);
    for (int i = 0; i < network->port_count; i++)
        if (network->ports[i].socket != -1)
            close(network->ports[i].socket);
    return error;
}
