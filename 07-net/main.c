/*
 * net: run a command with a network of its own: a veth pair leads out of it to a bridge on the
 * host, a switch for all boxes. From there on the host is their router.
 */
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../01-chroot/view.h"
#include "../02-uts/spawn.h"
#include "../03-pid/proc.h"
#include "network.h"

static const char usage[] =
    "Usage: net [OPTION]... [--] [COMMAND [ARG]...]\n"
    "Run COMMAND (/bin/sh if none is given) with a network of its own.\n"
    "\n"
    "      --none             loopback alone, no way out: needs no root inside 'user'\n"
    "  -b, --bridge=NAME      bridge on the host, made by its first box (default: br0)\n"
    "      --bridge-address=ADDRESS/PREFIX\n"
    "                         address of a new bridge (default: 172.27.0.1/16)\n"
    "  -a, --address=ADDRESS  address of the box (default: a free one)\n"
    "      --no-nat           no rules, if no port is published: packets from it and to\n"
    "                         it go on only if the host forwards (default: rules)\n"
    "  -p, --publish=[[ADDRESS:][PORT]:]BOXPORT[/tcp|/udp]\n"
    "                         a port of the host leads into the box; may be repeated\n"
    "                         (default: a free one, printed); 80-83 is a range\n"
    "      --dns=ADDRESS      nameserver of the box, repeatable (default: the host's)\n"
    "      --name=NAME        a name for it in 'ip netns' (default: none)\n"
    "@\n"
    "\n"
    "Example: net --publish 8080:80 python3 -m http.server 80\n"
    "\n"
    "The same in the shell:\n"
    "  ip link add br0 up type bridge; ip address add 172.27.0.1/16 dev br0\n"
    "  ip netns add ns0\n"
    "  ip link add veth0 master br0 up type veth peer eth0 netns ns0\n"
    "  ip -n ns0 link set lo up; ip -n ns0 link set eth0 up\n"
    "  ip -n ns0 address add 172.27.0.2/16 dev eth0\n"
    "  ip -n ns0 route add default via 172.27.0.1\n"
    "  sysctl -w net.ipv4.ip_forward=1\n"
    "  iptables -t nat -A POSTROUTING -s 172.27.0.0/16 ! -o br0 -j MASQUERADE\n"
    "  ip netns exec ns0 /bin/sh\n";

/* Returns the command. A NETWORK without a link has no bridge. */
static char **parse_options(struct network *network, int argc, char **argv)
{
    enum { NONE = TOOL_OWN, BRIDGE_ADDRESS, NO_NAT, DNS, NAME };
    static const struct option long_options[] = {
        {"none", no_argument, NULL, NONE},
        {"bridge", required_argument, NULL, 'b'},
        {"address", required_argument, NULL, 'a'},
        {"bridge-address", required_argument, NULL, BRIDGE_ADDRESS},
        {"no-nat", no_argument, NULL, NO_NAT},
        {"publish", required_argument, NULL, 'p'},
        {"dns", required_argument, NULL, DNS},
        {"name", required_argument, NULL, NAME},
        TOOL_OPTIONS};
    bool none = false;
    int option;

    tool_start(argv, "net", usage);
    network_start(network);
    const char *usual = network->bridge;
    while ((option = getopt_long(argc, argv, TOOL_FLAGS "b:a:p:", long_options, NULL)) != -1) {
        if (option == NONE)
            none = true;
        else if (option == 'b')
            network->bridge = network_check_name("bridge", optarg, IF_NAMESIZE - 1);
        else if (option == BRIDGE_ADDRESS)
            network_read_bridge_address(network, optarg);
        else if (option == 'a')
            network_read_address(optarg, "address", &network->lease->address);
        else if (option == NO_NAT)
            network->nat = false;
        else if (option == 'p')
            network_read_publish(network, optarg);
        else if (option == DNS)
            network_read_dns(network, optarg);
        else if (option == NAME)
            network->name = network_check_name("name", optarg, 200);
        else
            tool_option(option);
    }
    if (none && (network->bridge != usual || network->lease->gateway != 0 ||
                 network->lease->address != 0 || network->port_count > 0 || network->dns_count > 0))
        fail("none: a box without a link has no bridge, address, ports or nameservers");
    if (none)
        network->bridge = NULL;
    return tool_command(argc, argv);
}

/* RESOLV is the text of its /etc/resolv.conf, or NULL if that may stay as it is. */
static noreturn void run_box(const struct network *network, const char *resolv,
                             const struct child *child, char **command)
{
    mounts_make_private();
    sys_mount();
    if (resolv != NULL)
        resolv_bind(resolv);
    spawn_wait_go(child); /* eth0 comes from the host */
    network_configure(network->bridge != NULL ? network : NULL);
    view_in_place_of_command(); /* with --view */
    spawn_exec(child, command);
}

int main(int argc, char **argv)
{
    static struct network network;
    char **command = parse_options(&network, argc, argv), resolv[RESOLV_TEXT];
    const bool linked = network.bridge != NULL;
    const bool own_resolv = linked && resolv_compose(network.dns, network.dns_count, resolv);

    struct child child = spawn(CLONE_NEWNS | CLONE_NEWNET);
    if (child.pid == 0)
        run_box(&network, own_resolv ? resolv : NULL, &child, command);
    /* On the host. From now on there is something to undo, so an error doesn't end the tool:
     * functions report and return it, and what was done is undone in a straight line below. */
    int error = linked || network.name != NULL ? network_attach(&network, child.pid) : 0;
    for (int i = 0; i < network.port_count && error == 0; i++)
        if (network.ports[i].chosen) /* nothing else says which ports were free */
            fprintf(stderr, "net: publish %s\n", network.ports[i].text);
    if (error == 0)
        spawn_go(&child);
    else
        close(child.sync); /* the box will never hear "go", and ends with EXIT_TOOL */
    claim_sweep(claim_home(), false);
    int status = spawn_wait(&child);

    int left = network_release(&network);
    return left != 0 ? EXIT_TOOL : status;
}
