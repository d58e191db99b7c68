/*
 * What the boxes have made on this host, as the kernel tells it: links, addresses, tables.
 *
 * A box lives as long as its tool holds the name of its link: a socket with that name, unix(7),
 * which the kernel takes back however the tool ends. So neither kill -9 nor a process number used
 * again can deceive. (The link itself stays on until the kernel has cleared away the box's
 * namespace, which takes some milliseconds.)
 *
 * An ordinary user of the host may hold such a name, too, or the lock: then what a dead box has
 * left stays until the name is free, and who waits for the lock ends with an error.
 */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "link.h"
#include "nat.h"

/* Our note on a link: on a bridge this word alone, on a box's pair the word and the box's address.
 */
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

/* Host. lock_wait() for half a minute at most. Returns 0, or -1 with errno. */
int host_lock(int file);

/* Host. report() that errno about what was to be locked, and how to see who has it. */
int host_report_lock(const char *what);

/* Either side. Is it a box's pair? */
bool host_is_box(const struct link *link);

/* Either side. The name of the link of the box at ADDRESS, which no two have, into NAME of
 * IF_NAMESIZE bytes. */
void host_name_box(uint32_t address, char *name);

/* Host. Hold that name: the box lives until the socket returned is closed; -errno after report() if
 * that fails. Does somebody hold it? */
int host_hold_box(const char *name);
bool host_box_lives(const char *name);

/*
 * Host. The process BOX, just born, has no namespaces any more. Either it has met an error, and
 * told it; or it was killed, which is told here, when it has ended: some milliseconds later. If it
 * goes on living something else is missing, and that is told. Returns -ENOENT.
 */
int host_box_ended(pid_t box);

#endif
