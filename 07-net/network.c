#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../03-pid/proc.h"
#include "link.h"
#include "number.h"

#define NAMES "/run/netns"

void network_start(struct network *network)
{
    *network = (struct network){
        .bridge = "br0",
        .nat = true,
        .has_ipv6 = access("/proc/sys/net/ipv6", F_OK) == 0, /* the box's /proc may be covered */
        .lease = mmap(NULL, sizeof(struct lease), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0),
    };
    if (network->lease == MAP_FAILED)
        die("mmap");
    for (int i = 0; i < NETWORK_CLAIMS; i++)
        network->claims[i].file = -1;
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
        network->bridge_prefix = (int)tool_number(prefix, "prefix of the bridge address", 1, 30);
}

void network_read_dns(struct network *network, const char *text)
{
    if (network->dns_count == NETWORK_DNS)
        fail("dns: more than %d nameservers, which is all that a resolver asks", NETWORK_DNS);
    network_read_address(text, "dns", &network->dns[network->dns_count++]);
}

int network_name(struct network *network, pid_t box)
{
    char path[sizeof(NAMES) + NAME_MAX + 1], target[64], claim_name[NAME_MAX + 1];
    struct claim *claim = &network->claims[NETWORK_NAME];
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
    (void)mkdir(NAMES, 0755); /* without it there can't be the link */
    errno = EEXIST;           /* another box has the name: error is -EBUSY */
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
    link_up("lo", false);
    if (network != NULL) {
        link_up("eth0", network->has_ipv6);
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

    for (int i = 0; i < NETWORK_CLAIMS; i++) {
        int failed = claim_end(&network->claims[i]);
        error = error != 0 ? error : failed;
    }
    return error;
}
