/*
 * net: run a command with a network of its own.
 *
 * A new network namespace has one link, "lo", which is down, and knows no way to anywhere. A
 * virtual cable, the veth pair, leads out of it to a bridge on the host: a switch to which all
 * boxes are plugged. From there on the host is their router.
 */
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../01-chroot/view.h"
#include "../02-uts/spawn.h"
#include "../03-pid/proc.h"
#include "named.h"
#include "options.h"
#include "resolv.h"
#include "sys.h"

/* RESOLV is what /etc/resolv.conf shall say, or NULL if it may stay as it is. */
static noreturn void run_box(const struct net_options *options, const char *resolv,
                             const struct child *child)
{
    mounts_make_private();
    sys_mount();
    if (resolv != NULL)
        resolv_bind(resolv);
    spawn_wait_go(child); /* eth0 comes from the host */
    if (options->none)
        network_loopback();
    else if (options->join == NULL)
        network_configure(&options->network);
    view_in_place_of_command(); /* with --view */
    spawn_exec(child, options->command);
}

/* Host. Nothing else says which ports were free. */
static void print_chosen_ports(const struct network *network)
{
    char text[PUBLISH_TEXT];

    for (int i = 0; i < network->port_count; i++) {
        if (!network->ports[i].chosen)
            continue;
        network_write_publish(&network->ports[i], text);
        fprintf(stderr, "net: publish %s\n", text);
    }
}

int main(int argc, char **argv)
{
    static struct net_options options;
    char resolv[RESOLV_TEXT]; /* what /etc/resolv.conf shall say */
    struct network *network = &options.network;
    struct claim name = CLAIM_NONE;
    bool linked;
    int error = 0;

    net_options(&options, argc, argv);
    linked = !options.none && options.join == NULL;
    bool own_resolv = linked && resolv_compose(network->dns, network->dns_count, resolv);
    if (options.join != NULL)
        named_join(options.join);

    struct child child = spawn(CLONE_NEWNS | (options.join == NULL ? CLONE_NEWNET : 0));
    if (child.pid == 0)
        run_box(&options, own_resolv ? resolv : NULL, &child);
    /*
     * On the host. Up to here an error could end the tool on the spot. From now on there is
     * something to undo, so functions report an error and return it as a negative number, and what
     * was done is undone in a straight line below.
     */
    if (linked)
        error = network_attach(network, child.pid);
    if (error == 0 && options.name != NULL)
        error = named_make(&name, options.name, child.pid);
    if (error == 0)
        print_chosen_ports(network);
    if (error == 0)
        spawn_go(&child);
    else
        close(child.sync); /* the box will never hear "go", and ends */
    claim_sweep(claim_home(), false);
    int status = spawn_wait(&child);

    int left = claim_end(&name);
    int left_too = linked ? network_release(network) : 0;
    return error != 0 || left != 0 || left_too != 0 ? EXIT_TOOL : status;
}
