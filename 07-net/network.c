#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "../04-mnt/inside.h"
#include "../06-user/end.h"
#include "../06-user/number.h"
#include "bridge.h"
#include "link.h"
#include "setting.h"

#define NAMES "/run/netns"

enum {
    IN_ORDER = 8,       /* addresses that are tried from the first on, before a random one */
    LONGEST_END = 2000, /* milliseconds from the end of a process's namespaces to its own */
    PATIENCE = 20,      /* tries, 5 milliseconds apart, until an address that goes has gone */
};

void network_start(struct network *network)
{
    *network = (struct network){
        .bridge = "br0",
        .nat = true,
        .has_ipv6 = access("/proc/sys/net/ipv6", F_OK) == 0, /* the box's /proc may be covered */
        .name_space = -1,
        .claim = CLAIM_NONE,
        .rules_claim = CLAIM_NONE,
        .table_claim = CLAIM_NONE,
        .bridge_claim = CLAIM_NONE,
        .name_claim = CLAIM_NONE,
        .lease = mmap(NULL, sizeof(struct lease), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0),
    };
    if (network->lease == MAP_FAILED)
        die("mmap");
}

const char *network_check_name(const char *what, const char *name, size_t most)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = strlen(name);

    if (length == 0 || length > most || strchr(".-", name[0]) || strspn(name, letters) != length)
        fail("invalid %s '%s': expected at most %zu letters, digits, '_', '-' and '.'", what, name,
             most);
    return name;
}

void network_read_address(const char *text, const char *what, uint32_t *address)
{
    struct in_addr in;

    if (inet_pton(AF_INET, text, &in) != 1)
        fail("%s: '%s' is not an IPv4 address like 172.27.0.2", what, text);
    *address = ntohl(in.s_addr);
    if (*address >> 24 == 0 || *address >> 28 >= 14)
        fail("%s: %s can't be the address of one host", what, text);
}

void network_read_bridge_address(struct network *network, const char *text)
{
    char copy[64], *prefix = copy;

    snprintf(copy, sizeof(copy), "%s", text);
    network_read_address(strsep(&prefix, "/"), "bridge-address", &network->bridge_address);
    if (prefix != NULL)
        network->bridge_prefix = (int)tool_number(prefix, "bridge-address: prefix", 1, 30);
}

/* FIRST[-LAST]; returns LAST. Port 0 stands for any free one, and nobody asks for it by number. */
static int read_range(char *text, const char *what, uint16_t *first)
{
    char *last = text;

    *first = (uint16_t)tool_number(strsep(&last, "-"), what, 1, 65535);
    return last != NULL ? (int)tool_number(last, what, *first, 65535) : *first;
}

void network_read_publish(struct network *network, const char *text)
{
    struct publish port = {.socket = -1, .protocol = IPPROTO_TCP};
    char copy[64], *protocol = copy, *rest, *parts[3];
    int count = 0, last = 0;

    snprintf(copy, sizeof(copy), "%s", text);
    rest = strsep(&protocol, "/");
    if (protocol != NULL && strcmp(protocol, "udp") == 0)
        port.protocol = IPPROTO_UDP;
    else if (protocol != NULL && strcmp(protocol, "tcp") != 0)
        fail("publish: '%s': the protocol is tcp or udp", text);
    while (rest != NULL && count < 3)
        parts[count++] = strsep(&rest, ":");
    if (rest != NULL || strlen(text) >= sizeof(copy))
        fail("publish: '%s' is not [[ADDRESS:][PORT]:]BOXPORT[/tcp|/udp]", text);
    if (count == 3 && strcmp(parts[0], "0.0.0.0") != 0) /* that means all, as does none */
        network_read_address(parts[0], "publish", &port.address);
    int last_box = read_range(parts[count - 1], "publish: port of the box", &port.box_port);
    if (count > 1 && parts[count - 2][0] != '\0')
        last = read_range(parts[count - 2], "publish: port of the host", &port.port);
    port.chosen = port.port == 0;
    if (!port.chosen && last - port.port != last_box - port.box_port)
        fail("publish: '%s': %d ports of the host, and %d of the box", text, last - port.port + 1,
             last_box - port.box_port + 1);
    for (int left = last_box - port.box_port; left >= 0; left--) {
        if (network->port_count == NAT_PORTS)
            fail("publish: more than %d ports", NAT_PORTS);
        network->ports[network->port_count++] = port;
        port.port = (uint16_t)(port.port + !port.chosen);
        port.box_port++;
    }
}

char *network_write_publish(const struct publish *port, char text[PUBLISH_TEXT])
{
    char address[LINK_ADDRESS_TEXT];

    link_address_text(port->address, address);
    snprintf(text, PUBLISH_TEXT, "%s%s%d:%d%s", port->address != 0 ? address : "",
             port->address != 0 ? ":" : "", port->port, port->box_port,
             port->protocol == IPPROTO_UDP ? "/udp" : "");
    return text;
}

void network_read_dns(struct network *network, const char *text)
{
    if (network->dns_count == NETWORK_DNS)
        fail("dns: more than %d nameservers, which is all that a resolver asks", NETWORK_DNS);
    network_read_address(text, "dns", &network->dns[network->dns_count++]);
}

/* Does a link of the host have ADDRESS? */
static bool is_of_host(const struct host *host, uint32_t address)
{
    for (int i = 0; i < host->address_count; i++)
        if (host->addresses[i].address == address)
            return true;
    return false;
}

/*
 * The link that bears the address in its name is the claim on it: the kernel says EEXIST if there
 * is one. It goes some milliseconds after its box, when the kernel has cleared away the namespace.
 */
static int try_address(struct network *network, struct host *host, uint32_t address, int tries)
{
    bool hairpin = network->port_count > 0 && setting_read("bridge/bridge-nf-call-iptables") == '1';
    int error = -EEXIST;

    for (; error == -EEXIST && tries > 0; tries--) {
        snprintf(network->link, sizeof(network->link), "box-%08x", address);
        link_add_pair(&host->route, network->link, &host->bridge, network->name_space, address,
                      hairpin);
        error = netlink_send(&host->route);
        if (error == -EEXIST && tries > 1)
            nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    network->address = address;
    return error == 0 || error == -EEXIST ? error : netlink_report(&host->route, error);
}

static int take_asked_address(struct network *network, struct host *host)
{
    char text[LINK_ADDRESS_TEXT];
    int error = bridge_check_address(network, network->address, "address");

    if (error != 0)
        return error;
    link_address_text(network->address, text);
    if (is_of_host(host, network->address))
        return refuse("address %s is in use by this host", text);
    error = try_address(network, host, network->address, PATIENCE);
    return error == -EEXIST ? refuse("address %s is in use by another box", text) : error;
}

/* The first free one, if it is among the first; where many boxes are, from a random one on. */
static int find_address(struct network *network, struct host *host)
{
    uint32_t mask = link_mask(network->bridge_prefix), count = ~mask - 1, number = 0;
    /* The first on the bridge is alone there: a box that still has the address is going. */
    int tries = network->first ? PATIENCE : 1;

    for (uint32_t i = 0; i < IN_ORDER + count; i++, number++) {
        if (i == IN_ORDER && getrandom(&number, sizeof(number), 0) != sizeof(number))
            return report("getrandom");
        uint32_t address = (network->bridge_address & mask) + 1 + number % count;
        int error =
            is_of_host(host, address) ? -EEXIST : try_address(network, host, address, tries);
        if (error != -EEXIST)
            return error;
    }
    return refuse("no address is free in the network of bridge %s", network->bridge);
}

/* Link the box to the bridge, with an address of its own. */
static int add_pair(struct network *network, struct host *host, pid_t box)
{
    char path[64];
    siginfo_t end;

    snprintf(path, sizeof(path), "/proc/%d/ns/net", box);
    network->name_space = open(path, O_RDONLY | O_CLOEXEC);
    if (network->name_space == -1) {
        int failed = errno; /* a box that has ended by itself has reported why */
        if (child_end(box, LONGEST_END, &end) == 1 && end.si_code == CLD_EXITED)
            return -failed;
        errno = failed;
        return report("open %s", path);
    }
    int error =
        network->address != 0 ? take_asked_address(network, host) : find_address(network, host);
    /* Not on the bridge alone: some frames, as to 01:80:c2:00:00:0e, a bridge leaves to its port.
     */
    if (error == 0)
        error = setting_disable_ipv6(network->link);
    *network->lease =
        (struct lease){network->address, network->bridge_address, network->bridge_prefix};
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
    if (error == 0 && (network->nat || network->port_count > 0))
        error = rules_join(network, &host);
    netlink_close(&host.route);
    netlink_close(&host.filter);
    free(host.addresses);
    return error;
}

int network_name(struct network *network, pid_t box)
{
    char path[sizeof(NAMES) + NAME_MAX + 1], target[64], claim_name[NAME_MAX + 1];
    struct claim *claim = &network->name_claim;
    int error = proc_check();

    if (error != 0)
        return error;
    snprintf(path, sizeof(path), NAMES "/%s", network->name);
    snprintf(target, sizeof(target), "/proc/%d/ns/net", box);
    snprintf(claim_name, sizeof(claim_name), "name-%s", network->name);
    error = claim_take(claim, claim_home(), claim_name);
    if (error == 0)
        error = claim_note(claim, "symlink %s %s", target, path);
    if (error != 0 && error != -EBUSY)
        return error;
    if (mkdir(NAMES, 0755) == -1 && errno != EEXIST)
        return report("mkdir " NAMES);
    errno = EEXIST; /* another box has the name: error is -EBUSY */
    if (error == 0) {
        explain("ln -s %s %s\tsymlink(\"%s\", \"%s\")", target, path, target, path);
        if (symlink(target, path) == 0)
            return 0;
    }
    hint("'ip netns' lists the names");
    return report("name %s", network->name);
}

void network_configure(const struct network *network)
{
    struct netlink netlink;
    int error = netlink_open(&netlink, NETLINK_ROUTE);

    if (error == 0) {
        link_up(&netlink, "lo", false);
        if (network != NULL) {
            link_up(&netlink, "eth0", network->has_ipv6);
            link_add_address(&netlink, "eth0", network->lease->address, network->lease->prefix);
            /* EXERCISE 7.2: the box knows its neighbours, but no way beyond. rtnetlink(7) */
            link_add_default_route(&netlink, network->lease->gateway);
            /* END */
        }
        error = netlink_send(&netlink);
    }
    if (error != 0)
        exit((netlink_report(&netlink, error), EXIT_TOOL));
    netlink_close(&netlink);
}

/*
 * While the kernel clears away a network namespace, for up to 30 ms, all others wait who ask for
 * links. So the box's is held until all is undone here.
 */
int network_release(struct network *network)
{
    struct claim *const claims[] = {&network->name_claim, &network->claim, &network->rules_claim,
                                    &network->table_claim, &network->bridge_claim};
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
