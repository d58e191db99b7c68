#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "../04-mnt/mount.h"
#include "../06-user/idmap.h"
#include "link.h"
#include "nat.h"
#include "netlink.h"

#define NAMES          "/run/netns"
#define RESOLV_CONF    "/etc/resolv.conf"
#define RESOLVED       "nameserver 127.0.0.53" /* systemd's, which boxes can't reach */
#define BRIDGE_FILTERS "/proc/sys/net/bridge/bridge-nf-call-iptables"

enum {
    DEFAULT_ADDRESS = 0xac1b0001, /* 172.27.0.1 */
    DEFAULT_PREFIX = 16,
    IN_ORDER = 8,  /* addresses that are tried from the first on, before random ones */
    MAX_TRIES = 20 /* 5 ms apart, for an address whose last box is going */
};

static struct address *addresses; /* of all links of the host */
static int address_count, name_space;
static char pair[IF_NAMESIZE]; /* the host's end, named after the address: box-ac1b0002 */
static char own_claim[8 + IF_NAMESIZE];

/* --- what is asked for ------------------------------------------------------------------------ */

void network_start(struct network *network)
{
    *network = (struct network){
        .bridge = "br0",
        .nat = true,
        .lease = mmap(NULL, sizeof(struct lease), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0),
        .claims = {{.file = -1}, {.file = -1}, {.file = -1}},
    };
    if (network->lease == MAP_FAILED)
        die("mmap");
}

const char *network_check_name(const char *what, const char *name, size_t max)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = strlen(name);

    if (length == 0 || length > max || strchr(".-", name[0]) || strspn(name, letters) != length)
        fail("invalid %s '%s': expected at most %zu letters, digits, '_', '-' and '.'", what, name,
             max);
    return name;
}

void network_read_address(const char *text, const char *what, uint32_t *address)
{
    struct in_addr in;

    if (inet_pton(AF_INET, text, &in) != 1)
        fail("%s: '%s' is not an IPv4 address like 172.27.0.2", what, text);
    *address = ntohl(in.s_addr);
}

void network_read_bridge_address(struct network *network, const char *text)
{
    char copy[64], *prefix = copy;

    snprintf(copy, sizeof(copy), "%s", text);
    network_read_address(strsep(&prefix, "/"), "bridge-address", &network->lease->gateway);
    if (prefix != NULL)
        network->lease->prefix = (int)tool_number(prefix, "prefix of the bridge address", 1, 30);
}

void network_read_dns(struct network *network, const char *text)
{
    if (network->dns_count == NETWORK_DNS)
        fail("dns: more than %d nameservers, which is all that a resolver asks", NETWORK_DNS);
    network_read_address(text, "dns", &network->dns[network->dns_count++]);
}

/* --- the bridge ------------------------------------------------------------------------------- */

/* ADDRESS, which WHAT names, must be one for a host of the bridge's network. */
static int check_address(const struct network *network, uint32_t address, const char *what)
{
    uint32_t mask = link_mask(network->lease->prefix), host = address & ~mask;

    if ((address & mask) == (network->lease->gateway & mask) && host != 0 && host != ~mask)
        return 0;
    return refuse("%s %s is not one of the bridge's network %s/%d", what,
                  link_address_text(address), link_address_text(network->lease->gateway),
                  network->lease->prefix);
}

/* Another link whose network overlaps would leave the host not knowing where to send. */
static int check_overlap(const struct network *network)
{
    for (const struct address *other = addresses; other < addresses + address_count; other++)
        if (((network->lease->gateway ^ other->address) & link_mask(other->prefix) &
             link_mask(network->lease->prefix)) == 0) {
            hint("choose another network, such as --bridge-address 10.213.0.1/16, or that bridge");
            return refuse("the bridge's network overlaps this host's %s/%d",
                          link_address_text(other->address), other->prefix);
        }
    return 0;
}

/* The bridge is new: up, with an address, and without IPv6, which the boxes don't have. */
static int make_bridge(struct network *network)
{
    struct claim *claim = &network->claims[BRIDGE];
    int error;

    network->lease->gateway = network->lease->gateway ?: DEFAULT_ADDRESS;
    network->lease->prefix = network->lease->prefix ?: DEFAULT_PREFIX;
    if ((error = check_address(network, network->lease->gateway, "bridge address")) != 0 ||
        (error = check_overlap(network)) != 0 ||
        (error = claim_note(claim, "bridge %s", network->bridge)) != 0)
        return error;
    link_add_bridge(network->bridge, claim->token);
    if ((error = netlink_send(NETLINK_ROUTE, 0)) != 0 ||
        (error = setting_set("ipv6", network->bridge, "disable_ipv6", '1')) != 0)
        return error;
    link_add_address(network->bridge, network->lease->gateway, network->lease->prefix);
    return netlink_send(NETLINK_ROUTE, 0);
}

/* Others are on it: its network is what the first one wanted. */
static int use_bridge(struct network *network)
{
    for (const struct address *own = addresses; own < addresses + address_count; own++)
        if (strcmp(own->link, network->bridge) == 0 &&
            (network->lease->gateway == 0 || network->lease->gateway == own->address) &&
            (network->lease->prefix == 0 || network->lease->prefix == own->prefix)) {
            network->lease->gateway = own->address;
            network->lease->prefix = own->prefix;
            return 0;
        }
    return refuse("bridge %s has another network: see 'ip address show dev %s'", network->bridge,
                  network->bridge);
}

/* Join the others on the bridge, or make it. */
static int join_bridge(struct network *network)
{
    char name[NAME_MAX];

    snprintf(name, sizeof(name), "bridge-%s", network->bridge);
    int error = claim_take(&network->claims[BRIDGE], claim_home(), name, LOCK_SH);
    if (error != 0)
        return error;
    const bool first = network->claims[BRIDGE].unmade;
    if (first)
        claim_sweep(claim_home(), true); /* a dead box's bridge may have our network */
    address_count = link_addresses(&addresses);
    if (address_count < 0)
        return address_count;
    return first ? make_bridge(network) : use_bridge(network);
}

/* --- the pair --------------------------------------------------------------------------------- */

/* Make the pair. Its name is the claim on the ADDRESS: if a box has it, the kernel says EEXIST. A
 * pair goes some milliseconds after its box, with the namespace: so wait, up to TRIES times. But
 * first goes what a dead box there has left: its ports must not lead to another one. */
static int take_address(struct network *network, uint32_t address, int tries)
{
    int error = -EEXIST;

    if (address == network->lease->gateway)
        return error;
    network->lease->address = address;
    snprintf(pair, sizeof(pair), "box-%08x", address);
    snprintf(own_claim, sizeof(own_claim), "pair-%s", pair);
    do {
        if (claim_lives(claim_home(), own_claim))
            continue; /* it may be just undoing that */
        link_add_pair(pair, network->bridge, name_space, address);
        error = netlink_send(NETLINK_ROUTE, -EEXIST);
    } while (error == -EEXIST && --tries > 0 &&
             nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL) == 0);
    return error;
}

/* The one asked for; or the first free one, from a random one on if many boxes are there. */
static int find_address(struct network *network)
{
    const uint32_t mask = link_mask(network->lease->prefix), count = ~mask - 1;
    const uint32_t begin = (network->lease->gateway & mask) + 1, asked = network->lease->address;
    /* The first on the bridge is alone there: a box that still has the address is going. */
    const int tries = network->claims[BRIDGE].unmade || asked != 0 ? MAX_TRIES : 1;
    int error = asked != 0 ? check_address(network, asked, "address") : -EEXIST;

    if (error == 0 && (error = take_address(network, asked, tries)) == -EEXIST)
        return refuse("address %s is in use", link_address_text(asked));
    for (uint32_t i = 0, number = 0; error == -EEXIST && i < IN_ORDER + count; i++, number++) {
        if (i == IN_ORDER)
            number = (uint32_t)getpid() * 2654435761U; /* another one for each tool */
        error = take_address(network, begin + number % count, tries);
    }
    return error != -EEXIST ? error : refuse("no address is free on bridge %s", network->bridge);
}

/* Link the box to the bridge, with an address of its own. */
static int add_pair(struct network *network, pid_t box)
{
    char path[64], filters[8];

    snprintf(path, sizeof(path), "/proc/%d/ns/net", box);
    name_space = open(path, O_RDONLY | O_CLOEXEC);
    if (name_space == -1)
        return errno == ENOENT ? -ENOENT : report("open %s", path); /* the box has ended */
    int error = find_address(network);
    /* If the bridge's packets pass iptables(8), it sends none back by the port it came from. */
    first_line(BRIDGE_FILTERS, filters, sizeof(filters));
    if (error == 0 && network->port_count > 0 && filters[0] == '1') {
        link_set_hairpin(pair);
        error = netlink_send(NETLINK_ROUTE, 0);
    }
    /* Not on the bridge alone: some frames, as to 01:80:c2:00:00:0e, it leaves to its ports. */
    return error == 0 ? setting_set("ipv6", pair, "disable_ipv6", '1') : error;
}

/* --- the rules -------------------------------------------------------------------------------- */

/* The table is for all bridges. The first box that needs them makes the rules and the settings. */
static int join_rules(struct network *network)
{
    struct claim *table = &network->claims[TABLE], *claim = &network->claims[BRIDGE];
    const char *bridge = network->bridge;
    char same[2 * IF_NAMESIZE + 4];
    int error = claim_take(table, claim_home(), "net", LOCK_SH), known = 0;

    if (error == 0 && table->unmade && (error = claim_note(table, "table")) == 0)
        error = nat_add_table(table->token);
    if (error != 0 || (known = nat_has("bridges", bridge, claim->token)) < 0)
        return error != 0 ? error : known;
    if (known == 0 && !table->unmade && nat_has(NULL, NULL, table->token) == 0) {
        hint("'nft flush ruleset' does that: end all linked boxes, and start them again");
        return refuse("the table of rules that the boxes share is gone");
    }
    snprintf(same, sizeof(same), "%s . %s", bridge, bridge);
    /* Whoever sets ip_forward to 0 sets back all links: so look at each start. */
    if ((known == 0 && (error = claim_note(table, "localnet %s", bridge)) != 0) ||
        (error = setting_set("ipv4", bridge, "route_localnet", '1')) != 0 ||
        (error = setting_set("ipv4", bridge, "forwarding", '1')) != 0 || known == 1 ||
        (error = claim_note(claim, "element same %s", same)) != 0 ||
        (error = claim_note(claim, "element bridges %s", bridge)) != 0)
        return error;
    error = nat_add("same", same, NULL, claim->token);
    if (error == 0 || error == -EEXIST) /* another box has just done it */
        error = nat_add("bridges", bridge, NULL, claim->token);
    return error == -EEXIST ? 0 : error;
}

/* The other links of the host forward as well, so that answers come back, and callers come in. */
static int join_uplinks(struct network *network)
{
    struct claim *claim = &network->claims[TABLE];
    char bridge[NAME_MAX];
    int error = 0;

    if (setting_read("ipv4", "all", "forwarding") != '0')
        return 0; /* all links forward */
    for (const struct address *own = addresses; own < addresses + address_count; own++) {
        if (error != 0 || strcmp(own->link, "lo") == 0 ||
            setting_read("ipv4", own->link, "forwarding") != '0')
            continue; /* it does, as our bridge */
        snprintf(bridge, sizeof(bridge), "bridge-%s", own->link);
        if (claim_lives(claim_home(), bridge))
            continue; /* another bridge of boxes, which sees to that itself, or doesn't want it */
        /* Without a line: it goes with the table. */
        error = nat_add("uplinks", own->link, NULL, claim->token);
        if ((error == 0 || error == -EEXIST) &&
            (error = claim_note(claim, "forwarding %s", own->link)) == 0)
            error = setting_set("ipv4", own->link, "forwarding", '1');
    }
    return error;
}

/* The name is a link to /proc/PID/ns/net, which keeps nothing alive, and is made in one step or not
 * at all: ip-netns(8). */
static int add_name(const struct network *network, struct claim *claim, pid_t box)
{
    char path[sizeof(NAMES) + NAME_MAX + 1], target[64];

    snprintf(path, sizeof(path), NAMES "/%s", network->name);
    snprintf(target, sizeof(target), "/proc/%d/ns/net", box);
    int error = claim_note(claim, "symlink %s %s", target, path);
    if (error != 0)
        return error;
    (void)mkdir(NAMES, 0755); /* without it there can't be the link */
    explain("ln -s %s %s\tsymlink(\"%s\", \"%s\")", target, path, target, path);
    if (symlink(target, path) == 0)
        return 0;
    claim_sweep(claim_home(), true); /* a dead box may have the name */
    return symlink(target, path) == -1 ? report("name %s", network->name) : 0;
}

int network_attach(struct network *network, pid_t box)
{
    struct claim *claim = &network->claims[OWN];
    const bool linked = network->bridge != NULL;
    int error = proc_check();

    if (error != 0)
        return error;
    if (linked && in_user_namespace())
        hint("a link to the host takes root on the host; without, there is 'user net --none'");
    if (linked && error == 0 && (error = join_bridge(network)) == 0)
        error = add_pair(network, box);
    if (error == 0 && (network->name != NULL || network->port_count > 0))
        error = claim_take(claim, claim_home(), linked ? own_claim : NULL, LOCK_EX);
    if (error == -EBUSY)
        return refuse("the claim %s is locked: see 'lslocks'", own_claim);
    if (linked && error == 0 && (network->nat || network->port_count > 0) &&
        (error = join_rules(network)) == 0)
        error = join_uplinks(network);
    /* Not before that may others join: while somebody else is changing links, the kernel may show a
     * setting as changed, change it back, and try again. */
    for (int i = TABLE; i <= BRIDGE && error == 0; i++)
        error = claim_made(&network->claims[i]);
    if (error == 0)
        error = network_publish(network);
    return error == 0 && network->name != NULL ? add_name(network, claim, box) : error;
}

/* --- the box, and the end --------------------------------------------------------------------- */

void network_configure(const struct network *network)
{
    if (network != NULL) {
        link_without_ipv6("eth0");
        int error = netlink_send(NETLINK_ROUTE, -EAFNOSUPPORT);
        if (error != 0 && error != -EAFNOSUPPORT) /* a kernel without IPv6 has none to keep out */
            exit(EXIT_TOOL);
    }
    link_up("lo");
    if (network != NULL) {
        link_up("eth0");
        link_add_address("eth0", network->lease->address, network->lease->prefix);
        /* EXERCISE 7.2: the box knows its neighbours, but no way beyond. rtnetlink(7) */
        link_add_default_route(network->lease->gateway);
        /* END */
    }
    if (netlink_send(NETLINK_ROUTE, 0) != 0)
        exit(EXIT_TOOL);
}

int network_release(struct network *network)
{
    int error = 0;

    for (int i = 0; i < NETWORK_CLAIMS; i++)
        error |= claim_end(&network->claims[i]);
    return error;
}

/* --- what programs read about it -------------------------------------------------------------- */

bool resolv_compose(const uint32_t *dns, int count, char *text)
{
    file_read(RESOLV_CONF, text, RESOLV_TEXT);
    bool local = strncmp(text, RESOLVED, strlen(RESOLVED)) == 0 || strstr(text, "\n" RESOLVED);
    if (local)
        file_read("/run/systemd/resolve/resolv.conf", text, RESOLV_TEXT);
    for (int i = 0; i < count; i++)
        text += sprintf(text, "nameserver %s\n", link_address_text(dns[i]));
    return count > 0 || local;
}

void resolv_cover(const struct root *root, const char *path, const char *text,
                  const struct root *memory)
{
    const char *name = strrchr(path, '/') + 1;
    size_t length = strlen(text);
    char source[32];

    explain("cat >%s/%s <<END\twrite(\"%s\")", memory->path, name, name);
    int file = openat(memory->directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file == -1 || fchmod(file, 0644) == -1 || /* whatever umask the caller has */
        write(file, text, length) != (ssize_t)length)
        die("write what covers %s", path);
    snprintf(source, sizeof(source), "/proc/self/fd/%d", file);
    mount_bind(root, source, path, 0);
    if (unlinkat(memory->directory, name, 0) == -1)
        die("unlink %s", name);
    close(file);
}

void resolv_bind(const char *text)
{
    struct root root = root_at("");
    struct root memory =
        mount_inside(&root, "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755");

    resolv_cover(&root, RESOLV_CONF, text, &memory);
    explain("umount --lazy /tmp\tumount2(\"/tmp\", MNT_DETACH)");
    if (umount2("/tmp", MNT_DETACH) == -1)
        die("umount /tmp");
}

void sys_mount(void)
{
    static const char groups[] = "/sys/fs/cgroup";
    struct root root = root_at("");
    int tree = access(groups, F_OK) == 0 ? mount_take(groups) : -1;

    mount_new("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    if (tree != -1) {
        mount_tree(&root, tree, groups, groups, 0);
        close(tree);
    }
}
