/*
 * What the boxes have made on this host, as the kernel tells it: links, addresses, tables.
 *
 * A box is there as long as its pair is, for the kernel deletes that with the box's namespace. So
 * neither kill -9 nor a process number used again can deceive.
 */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "link.h"
#include "nat.h"

/* Our note on a link: on a bridge this word alone; on a box's pair the word, the box's address, and
 * after the box's end a word more. */
#define HOST_MARK "ten-steps"

/* All that is known while a start or an end has its turn. */
struct host {
    int lock;
    struct netlink route, filter;
    struct links links;
    struct nat_tables tables;
    bool deleted; /* some of the tables, by us */
};

/*
 * Host. Wait for our turn, and look at what there is. Returns 0 or, after report(), -errno;
 * host_leave() in either case. RULES: nf_tables is needed, so it is an error if the kernel lacks
 * it.
 */
int host_enter(struct host *host, bool rules);
void host_leave(struct host *host);

/* Host. Send the messages built in ROUTE. Returns 0 or, after report(), -errno. */
int host_send(struct host *host);

/* Host. Take back what is there without a box: rules, settings and bridges of ours. As above. */
int host_sweep(struct host *host);

/* Either side. Is it a box's pair? The box's address. Note in the list that the box has ended. */
bool host_is_box(const struct link *link);
uint32_t host_box_address(const struct link *box);
void host_end_box(struct link *box);

#endif
