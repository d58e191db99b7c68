#include "options.h"

#include "../01-chroot/tool.h"
#include "named.h"

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
    "  -p, --publish=[[ADDRESS:][PORT]:]BOXPORT[/tcp|/udp]\n"
    "                         a port of the host leads into the box; may be repeated\n"
    "                         (default: a free one, which is then printed); 80-83 is a range\n"
    "      --dns=ADDRESS      nameserver of the box; may be repeated (default: the host's)\n"
    "      --name=NAME        the namespace also has a name, as 'ip netns' lists (default: none)\n"
    "      --join=NAME        use the namespace of that name (default: a new one)\n"
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

enum { NONE = TOOL_OWN, BRIDGE_ADDRESS, NAT, NO_NAT, DNS, NAME, JOIN };

/* The options that say how the box is linked. False if OPTION is none of them. */
static bool take_link_option(struct network *network, int option)
{
    if (option == 'b')
        network_read_bridge(network, optarg);
    else if (option == BRIDGE_ADDRESS)
        network_read_network(optarg, "bridge-address", &network->bridge_address,
                             &network->bridge_prefix);
    else if (option == 'a')
        network_read_network(optarg, "address", &network->address, &network->prefix);
    else if (option == 'g')
        network_read_address(optarg, "gateway", &network->gateway);
    else if (option == 'p')
        network_read_publish(network, optarg);
    else if (option == DNS)
        network_read_dns(network, optarg);
    else if (option == NAT || option == NO_NAT)
        network->nat = option == NAT;
    else
        return false;
    return true;
}

void net_options(struct net_options *options, int argc, char **argv)
{
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
        {"name", required_argument, NULL, NAME},
        {"join", required_argument, NULL, JOIN},
        TOOL_OPTIONS};
    bool linked = false;
    int option;

    tool_start(argv, "net", usage);
    network_start(&options->network);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS "b:a:g:p:", long_options, NULL)) != -1) {
        if (option == NONE)
            options->none = true;
        else if (option == NAME)
            named_check(options->name = optarg);
        else if (option == JOIN)
            named_check(options->join = optarg);
        else if (take_link_option(&options->network, option))
            linked = true;
        else
            tool_option(option);
    }
    if (options->join != NULL && (options->none || options->name != NULL || linked))
        fail("join: the namespace is there, with all that it has; no other option goes with it");
    if (options->none && linked)
        fail("none: a box without a link has no bridge, address, ports or nameservers");
    options->command = tool_command(argc, argv);
}
