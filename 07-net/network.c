#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "../04-mnt/inside.h"
#include "../06-user/end.h"
#include "bridge.h"
#include "link.h"
#include "rules.h"
#include "setting.h"

enum {
    IN_ORDER = 8,       /* addresses that are tried one after another, then … */
    RANDOM = 64,        /* … at random, then all */
    LONGEST_END = 2000, /* milliseconds from the end of a process's namespaces to its own */
    TRIES = 20,         /* of five milliseconds, until what goes has gone */
};

/* Does the box need anything of nf_tables? */
static bool needs_rules(const struct network *network)
{
    return network->nat || network->port_count > 0;
}

/* Does a link of the host have ADDRESS? */
static bool is_of_host(const struct host *host, uint32_t address)
{
    bool found = false;

    for (int i = 0; i < host->address_count; i++)
        found = found || host->addresses[i].address == address;
    return found;
}

static int check_asked_address(const struct network *network, const struct host *host)
{
    int error = bridge_check_address(network, network->address, "address");
    char text[LINK_ADDRESS_TEXT];

    if (error != 0)
        return error;
    link_address_text(network->address, text);
    if (network->prefix != 0 && network->prefix != network->bridge_prefix)
        return refuse("address %s/%d: the bridge's network has the prefix /%d", text,
                      network->prefix, network->bridge_prefix);
    if (network->address == network->bridge_address)
        return refuse("address %s is in use by the bridge", text);
    if (network->address == network->gateway)
        return refuse("address %s is in use by the gateway", text);
    if (is_of_host(host, network->address))
        return refuse("address %s is in use by this host", text);
    return 0;
}

/*
 * The link that bears the address in its name is the claim on it: the kernel says EEXIST if there
 * is one. It goes some milliseconds after its box, when the kernel has cleared away the namespace.
 */
static int try_address(struct network *network, struct host *host, uint32_t address)
{
    bool hairpin = network->port_count > 0 && setting_read("bridge/bridge-nf-call-iptables") == '1';

    snprintf(network->link, sizeof(network->link), "box-%08x", address);
    link_add_pair(&host->route, network->link, &host->bridge, network->name_space, address,
                  hairpin);
    int error = netlink_send(&host->route);
    return error == 0 || error == -EEXIST ? error : bridge_report(host, error);
}

static int wait_for_address(struct network *network, struct host *host, uint32_t address)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    int error = try_address(network, host, address);

    for (int tries = 0; error == -EEXIST && tries < TRIES; tries++) {
        nanosleep(&pause, NULL);
        error = try_address(network, host, address);
    }
    return error;
}

/* The first free one, for a while; where many boxes are, one at random. */
static int find_address(struct network *network, struct host *host)
{
    uint32_t mask = link_mask(network->bridge_prefix), count = ~mask - 1, number;
    uint32_t first = (network->bridge_address & mask) + 1;

    for (uint32_t i = 0; i < IN_ORDER + RANDOM + count; i++) {
        number = i < IN_ORDER ? i : i - IN_ORDER - RANDOM;
        if (i >= IN_ORDER && i < IN_ORDER + RANDOM &&
            getrandom(&number, sizeof(number), 0) != sizeof(number))
            return report("getrandom");
        network->address = first + number % count;
        if (network->address == network->bridge_address || network->address == network->gateway ||
            is_of_host(host, network->address))
            continue;
        /* The first on the bridge is alone there: a box that still has the address is going. */
        int error = network->first ? wait_for_address(network, host, network->address)
                                   : try_address(network, host, network->address);
        if (error != -EEXIST)
            return error;
    }
    return refuse("no address is free in the network of bridge %s", network->bridge);
}

/*
 * The process BOX, just born, has no namespaces any more. Either it has met an error, and reported
 * it; or it was killed, which is reported here when it has ended, some milliseconds later.
 */
static int box_ended(pid_t box)
{
    siginfo_t end;
    int ended = child_end(box, LONGEST_END, &end);

    if (ended < 0)
        return report("wait for the box");
    errno = ENOENT;
    if (ended == 0)
        return report("the box's network namespace");
    if (end.si_code != CLD_EXITED)
        (void)refuse("the box was killed");
    return -ENOENT;
}

/* Link the box to the bridge, with an address of its own. */
static int add_pair(struct network *network, struct host *host, pid_t box)
{
    char path[64], text[LINK_ADDRESS_TEXT];
    int error = 0;

    snprintf(path, sizeof(path), "/proc/%d/ns/net", box);
    network->name_space = open(path, O_RDONLY | O_CLOEXEC);
    if (network->name_space == -1)
        return errno == ENOENT ? box_ended(box) : report("open %s", path);
    if (network->gateway != 0)
        error = bridge_check_address(network, network->gateway, "gateway");
    if (error == 0 && network->address != 0) {
        error = check_asked_address(network, host);
        if (error == 0)
            error = wait_for_address(network, host, network->address);
        if (error == -EEXIST)
            return refuse("address %s is in use by another box",
                          link_address_text(network->address, text));
    } else if (error == 0) {
        error = find_address(network, host);
    }
    /* Not on the bridge alone: some frames, as to 01:80:c2:00:00:0e, a bridge leaves to its port.
     */
    if (error == 0)
        error = setting_disable_ipv6(network->link);
    network->lease->address = network->address;
    network->lease->prefix = network->bridge_prefix;
    network->lease->gateway = network->gateway ? network->gateway : network->bridge_address;
    return error;
}

int network_attach(struct network *network, pid_t box)
{
    struct host host = {.address_count = 0};
    int error = proc_check();

    if (error != 0)
        return error;
    if (in_user_namespace())
        hint("a link to the host takes root on the host; without, there is 'user net --none'");
    host.filter.socket = -1;
    error = netlink_open(&host.route, NETLINK_ROUTE);
    if (error != 0)
        error = netlink_report(&host.route, error);
    if (error == 0)
        error = bridge_join(network, &host);
    if (error == 0)
        error = add_pair(network, &host, box);
    if (error == 0 && needs_rules(network))
        error = rules_join(network, &host);
    netlink_close(&host.route);
    netlink_close(&host.filter);
    free(host.addresses);
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

/*
 * While the kernel clears away a network namespace, for up to 30 ms, all others wait who ask for
 * links. So the box's is held until all is undone here.
 */
int network_release(struct network *network)
{
    struct claim *const claims[] = {&network->claim, &network->rules_claim, &network->table_claim,
                                    &network->bridge_claim};
    int error = 0;

    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        int failed = claim_end(claims[i]);
        error = error != 0 ? error : failed;
    }
    for (int i = 0; i < network->port_count; i++)
        if (network->ports[i].socket != -1)
            close(network->ports[i].socket);
    if (network->name_space != -1)
        close(network->name_space);
    return error;
}
