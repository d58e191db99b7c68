/* The host's part in a box's network: the bridge, the pair of links, the rules. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "../06-user/idmap.h"
#include "link.h"
#include "network.h"
#include "setting.h"

enum {
    DEFAULT_ADDRESS = 0xac1b0001, /* 172.27.0.1 */
    DEFAULT_PREFIX = 16,
    LONGEST_PREFIX = 30,
    IN_ORDER = 8,       /* addresses that are tried from the first on, before a random one */
    LONGEST_END = 2000, /* milliseconds from the end of a process's namespaces to its own */
    PATIENCE = 20,      /* tries, 5 milliseconds apart, until an address that goes has gone */
};

static struct address *addresses; /* of all links of the host */
static int address_count;
static struct link bridge;
static char pair[IF_NAMESIZE]; /* the host's end, named after the address: box-ac1b0002 */
static bool first;             /* on the bridge */

/* --- the bridge ------------------------------------------------------------------------------- */

/* ADDRESS, which WHAT names, must be one for a host of the bridge's network. */
static int check_address(const struct network *network, uint32_t address, const char *what)
{
    uint32_t mask = link_mask(network->bridge_prefix), host = address & ~mask;
    char text[LINK_ADDRESS_TEXT], own[LINK_ADDRESS_TEXT];

    if ((address & mask) == (network->bridge_address & mask) && host != 0 && host != ~mask)
        return 0;
    return refuse("%s %s is not one of the bridge's network %s/%d", what,
                  link_address_text(address, text), link_address_text(network->bridge_address, own),
                  network->bridge_prefix);
}

/* Another link whose network overlaps would leave the host not knowing where to send. */
static int check_overlap(const struct network *network)
{
    char text[LINK_ADDRESS_TEXT];

    for (int i = 0; i < address_count; i++) {
        const struct address *other = &addresses[i];
        uint32_t mask = link_mask(other->prefix) & link_mask(network->bridge_prefix);
        if (((network->bridge_address ^ other->address) & mask) != 0)
            continue;
        hint("choose another network, like --bridge-address 172.28.0.1/16, or that bridge");
        return refuse("the bridge's network overlaps this host's %s/%d",
                      link_address_text(other->address, text), other->prefix);
    }
    return 0;
}

/* The bridge is new: up, with an address, and without IPv6, of which the boxes have none. */
static int make_bridge(struct network *network)
{
    struct claim *claim = &network->claims[BRIDGE];
    const char *name = network->bridge;
    int error;

    if (network->bridge_address == 0)
        network->bridge_address = DEFAULT_ADDRESS;
    if (network->bridge_prefix == 0)
        network->bridge_prefix = DEFAULT_PREFIX;
    if ((error = check_address(network, network->bridge_address, "bridge address")) != 0 ||
        (error = check_overlap(network)) != 0 ||
        (error = claim_note(claim, "bridge %s", name)) != 0)
        return error;
    link_add_bridge(name, claim->token);
    if ((error = netlink_send(NETLINK_ROUTE, 0)) != 0 ||
        (error = setting_change(NULL, "ipv6", name, "disable_ipv6", '1')) != 0)
        return error;
    bridge.index = (int)if_nametoindex(name);
    link_add_address(name, network->bridge_address, network->bridge_prefix);
    return netlink_send(NETLINK_ROUTE, 0);
}

/* The bridge is there: does it do for what was asked? */
static int use_bridge(struct network *network)
{
    for (int i = 0; i < address_count && bridge.is_bridge && bridge.up; i++) {
        const struct address *own = &addresses[i];
        if (own->link == bridge.index && own->prefix <= LONGEST_PREFIX &&
            (network->bridge_address == 0 || network->bridge_address == own->address) &&
            (network->bridge_prefix == 0 || network->bridge_prefix == own->prefix)) {
            network->bridge_address = own->address;
            network->bridge_prefix = own->prefix;
            return 0;
        }
    }
    hint("'ip address show dev %s' shows what it has; another --bridge gets what you ask",
         bridge.name);
    return refuse("%s is there, and %s", bridge.name,
                  !bridge.is_bridge ? "is not a bridge"
                  : !bridge.up      ? "is down"
                                    : "does not have such an IPv4 network");
}

/* Join the others on the bridge, or be the first: then it is made, unless it is the host's own. */
static int join_bridge(struct network *network)
{
    struct claim *claim = &network->claims[BRIDGE];
    char name[NAME_MAX];

    snprintf(name, sizeof(name), "bridge-%s", network->bridge);
    int error = claim_share(claim, claim_home(), name);
    if (error < 0)
        return error;
    first = error == 1;
    if (first)
        claim_sweep(claim_home(), true); /* a dead box's bridge may have our network */
    address_count = link_addresses(&addresses);
    if (address_count < 0)
        return address_count;
    error = link_find(network->bridge, &bridge);
    if (error == -ENODEV && first)
        error = make_bridge(network);
    else if (error == -ENODEV)
        error = refuse("bridge %s has gone, but boxes still claim it", network->bridge);
    else if (error == 0 && (error = use_bridge(network)) == 0 && first)
        error = setting_change(claim, "ipv6", bridge.name, "accept_ra", '0');
    return error == 0 && first ? claim_made(claim) : error;
}

/* --- the pair --------------------------------------------------------------------------------- */

/*
 * The link that bears the address in its name is the claim on it: the kernel says EEXIST if there
 * is one, or the host itself has the address. It goes some milliseconds after its box, when the
 * kernel has cleared away the namespace: so wait up to TRIES times.
 */
static int take_address(struct network *network, uint32_t address, int tries)
{
    bool hairpin = network->port_count > 0 && setting_read("bridge/bridge-nf-call-iptables") == '1';

    if (address == network->bridge_address)
        return -EEXIST;
    for (int i = 0; i < address_count; i++)
        if (addresses[i].address == address)
            return -EEXIST;
    network->address = address;
    snprintf(pair, sizeof(pair), "box-%08x", address);
    for (;;) {
        link_add_pair(pair, &bridge, network->name_space, address, hairpin);
        int error = netlink_send(NETLINK_ROUTE, -EEXIST);
        if (error != -EEXIST || --tries <= 0)
            return error;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

/* The one asked for. Or the first free one, if it is among the first; where many boxes are, from a
 * random one on. */
static int find_address(struct network *network)
{
    uint32_t mask = link_mask(network->bridge_prefix), count = ~mask - 1, number = 0;
    /* The first on the bridge is alone there: a box that still has the address is going. */
    int tries = first ? PATIENCE : 1, error;
    char text[LINK_ADDRESS_TEXT];

    if (network->address != 0) {
        error = check_address(network, network->address, "address");
        if (error == 0)
            error = take_address(network, network->address, PATIENCE);
        link_address_text(network->address, text);
        return error == -EEXIST ? refuse("address %s is in use", text) : error;
    }
    for (uint32_t i = 0; i < IN_ORDER + count; i++, number++) {
        if (i == IN_ORDER)
            number = (uint32_t)getpid() * 2654435761U; /* another one for each tool */
        uint32_t address = (network->bridge_address & mask) + 1 + number % count;
        if ((error = take_address(network, address, tries)) != -EEXIST)
            return error;
    }
    return refuse("no address is free in the network of bridge %s", network->bridge);
}

/* Has the box ended with an error of its own? It has reported that already. */
static bool has_failed(pid_t box)
{
    struct pollfd process = {.fd = (int)syscall(SYS_pidfd_open, box, 0), .events = POLLIN};
    siginfo_t end = {.si_code = 0};

    (void)poll(&process, 1, LONGEST_END);
    close(process.fd);
    return waitid(P_PID, (id_t)box, &end, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           end.si_code == CLD_EXITED;
}

/* Link the box to the bridge, with an address of its own. */
static int add_pair(struct network *network, pid_t box)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/ns/net", box);
    network->name_space = open(path, O_RDONLY | O_CLOEXEC);
    if (network->name_space == -1) {
        int failed = errno;
        if (has_failed(box))
            return -failed;
        errno = failed;
        return report("open %s", path);
    }
    int error = find_address(network);
    *network->lease =
        (struct lease){network->address, network->bridge_address, network->bridge_prefix};
    /* Not on the bridge alone: some frames, as to 01:80:c2:00:00:0e, a bridge leaves to its port.
     */
    return error == 0 ? setting_change(NULL, "ipv6", pair, "disable_ipv6", '1') : error;
}

/* --- the rules -------------------------------------------------------------------------------- */

/* The table is for all bridges. */
static int join_table(struct network *network)
{
    struct claim *claim = &network->claims[TABLE];
    int error = claim_share(claim, claim_home(), "net");

    if (error != 1)
        return error;
    if ((error = claim_note(claim, "table")) != 0 || (error = nat_add_table(claim->token)) != 0)
        return error;
    return claim_made(claim);
}

/* Add KEY to SET, with a line in CLAIM. If it is there already somebody else has just done it. */
static int add_element(struct claim *claim, const char *set, const char *key)
{
    int error = claim_note(claim, "element %s %s", set, key);

    if (error == 0)
        error = nat_add(set, key, NULL, claim->token);
    return error == -EEXIST ? 0 : error;
}

/* The bridge's share in it, and its settings: the first box that needs them sees to it. */
static int join_rules(struct network *network)
{
    struct claim *claim = &network->claims[BRIDGE];
    char same[2 * IF_NAMESIZE + 4];
    int error = nat_has("bridges", bridge.name, claim->token);

    if (error != 0)
        return error == 1 ? 0 : error;
    snprintf(same, sizeof(same), "%s . %s", bridge.name, bridge.name);
    if ((error = setting_change(claim, "ipv4", bridge.name, "route_localnet", '1')) != 0 ||
        (error = setting_change(claim, "ipv4", bridge.name, "forwarding", '1')) != 0 ||
        (error = add_element(claim, "same", same)) != 0)
        return error;
    return add_element(claim, "bridges", bridge.name); /* the last: now all is there */
}

/* The other links of the host forward as well, so that answers come back, and callers come in. */
static int join_uplinks(struct network *network)
{
    struct claim *claim = &network->claims[TABLE];
    char link[IF_NAMESIZE];
    int error = 0;

    for (int i = 0; i < address_count && error == 0; i++) {
        if (if_indextoname((unsigned)addresses[i].link, link) == NULL || strcmp(link, "lo") == 0 ||
            strcmp(link, network->bridge) == 0 || setting_forwards(link))
            continue;
        /* Without a line, as the set goes with the table. */
        error = nat_add("uplinks", link, NULL, claim->token);
        if (error == 0 || error == -EEXIST)
            error = setting_change(claim, "ipv4", link, "forwarding", '1');
    }
    return error;
}

int network_attach(struct network *network, pid_t box)
{
    int error = proc_check();

    if (error != 0)
        return error;
    if (in_user_namespace())
        hint("a link to the host takes root on the host; without, there is 'user net --none'");
    if ((error = join_bridge(network)) == 0 && (error = add_pair(network, box)) == 0 &&
        (network->nat || network->port_count > 0) && (error = join_table(network)) == 0 &&
        (error = join_rules(network)) == 0 && (error = join_uplinks(network)) == 0)
        error = network_publish(network);
    return error;
}
