/* The box's side of a container: from the first instruction of the new process to its execve(2). */
#ifndef BOX_H
#define BOX_H

#include "../02-uts/spawn.h"
#include "../06-user/idmap.h"
#include "../07-net/network.h"
#include "options.h"

/* What both sides have to know. The host fills it before the box is made. */
struct plan {
    const struct run_options *options;
    struct id_map users, groups; /* no ranges: no user namespace */
    bool mapped_mounts;          /* the host sends idmapped trees: of the root, then the volumes */
    bool own_network;            /* with loopback alone, or with */
    struct network *network;     /* a link to the bridge; NULL for none */
    uint64_t capabilities;
    int log; /* where a detached box's output goes; -1 if it isn't detached */
};

/* Box. Build it around this process and become the command. Errors end the tool. */
noreturn void box_run(const struct plan *plan, struct child *child);

#endif
