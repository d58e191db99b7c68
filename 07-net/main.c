/*
 * net: run a command with a network of its own.
 *
 * A new network namespace has one link, "lo", which is down, and knows no way to anywhere. A
 * virtual cable, the veth pair, leads out of it to a bridge on the host: a switch to which all
 * boxes are plugged. From there on the host is their router.
 */
#include <sched.h>
#include <stddef.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../02-uts/spawn.h"
#include "network.h"

static const char usage[] =
    "Usage: net [OPTION]... [--] [COMMAND [ARG]...]\n"
    "Run COMMAND (/bin/sh if none is given) with a network of its own.\n"
    "\n"
    "      --none             loopback alone, no way out: needs no root inside 'user'\n"
    "  -b, --bridge=NAME      the bridge on the host; made if it is not there (default: br0)\n"
    "      --bridge-address=ADDRESS/PREFIX\n"
    "                         address of a new bridge (default: 172.27.0.1/16)\n"
    "  -a, --address=ADDRESS[/PREFIX]\n"
    "                         address of the box (default: the first free one)\n"
    "  -g, --gateway=ADDRESS  where the default route goes (default: the bridge)\n"
    "      --nat, --no-nat    forward to the outside, masqueraded, or don't (default: --nat)\n"
    "  -p, --publish=[ADDRESS:]PORT:BOXPORT[/tcp|/udp]\n"
    "                         a port of the host leads into the box; may be repeated\n"
    "      --dns=ADDRESS      nameserver of the box; may be repeated (default: the host's)\n"
    "      --name=NAME        the namespace also has a name, as 'ip netns' makes and lists\n"
    "      --join=NAME        use the namespace of that name, as 'ip netns exec' does\n"
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

struct options {
    bool none;
    struct network network;
    char **command;
};

static struct options parse_options(int argc, char **argv)
{
    enum { NONE = TOOL_OWN, BRIDGE_ADDRESS, NAT, NO_NAT, DNS };
    static const struct option long_options[] = {
        {"none", no_argument, NULL, NONE},
        {"bridge", required_argument, NULL, 'b'},
        {"bridge-address", required_argument, NULL, BRIDGE_ADDRESS},
        {"address", required_argument, NULL, 'a'},
        {"gateway", required_argument, NULL, 'g'},
        {"nat", no_argument, NULL, NAT},
        {"no-nat", no_argument, NULL, NO_NAT},
        {"publish", required_argument, NULL, 'p'},
        {"dns", required_argument, NULL, DNS},
        TOOL_OPTIONS};
    struct options options = {.none = false};
    struct network *network = &options.network;
    int option;

    tool_start(argv, "net", usage);
    network_start(network);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS "b:a:g:p:", long_options, NULL)) != -1) {
        if (option == NONE)
            options.none = true;
        else if (option == 'b')
            network_read_bridge(network, optarg);
        else if (option == BRIDGE_ADDRESS)
            network_read_network(optarg, "bridge-address", &network->bridge_address,
                                 &network->bridge_prefix);
        else if (option == 'a')
            network_read_network(optarg, "address", &network->address, &network->prefix);
        else if (option == 'g')
            network_read_address(optarg, "gateway", &network->gateway);
        else if (option == NAT || option == NO_NAT)
            network->nat = option == NAT;
        else if (option == 'p')
            network_read_publish(network, optarg);
        else if (option == DNS)
            network_read_dns(network, optarg);
        else
            tool_option(option);
    }
    options.command = tool_command(argc, argv);
    return options;
}

int main(int argc, char **argv)
{
    struct options options = parse_options(argc, argv);

    struct child child = spawn(CLONE_NEWNET);
    if (child.pid == 0) { /* in the box */
        if (options.none) {
            network_loopback();
        } else {
            spawn_wait_go(&child); /* eth0 comes from the host */
            network_configure(&options.network);
        }
        spawn_exec(&child, options.command);
    }

    /*
     * On the host. Up to here an error could end the tool on the spot. From now on there is
     * something to undo, so functions report an error and return it as a negative number, and what
     * has been done is undone in a straight line at the end.
     */
    int error = options.none ? 0 : network_attach(&options.network, child.pid);
    if (error == 0)
        spawn_go(&child);
    else
        close(child.sync); /* the box will never hear "go", and ends */
    int status = spawn_wait(&child);
    if (!options.none && network_release(&options.network) != 0)
        error = -1;
    return error == 0 ? status : EXIT_TOOL;
}
