/* What a box is to be, in the terms of the chapters: made of the options and, if there is one, the
 * image. */
#ifndef PLAN_H
#define PLAN_H

#include "../06-user/idmap.h"
#include "../07-net/network.h"
#include "../07-net/resolv.h"
#include "../08-cgroup/cgroup.h"
#include "layers.h"
#include "options.h"
#include "streams.h"

struct plan {
    const struct run_options *options;
    struct id_map users, groups; /* 06: no ranges, no user namespace */
    uint32_t first_id;        /* 06: the host's id for user 0, if the box has a range of its own */
    bool mapped;              /* 09: the box sees root and volumes through idmapped mounts */
    bool own_network, linked; /* 07: a network namespace, and in it a link to the bridge */
    struct network network;   /* 07 */
    bool grouped;             /* 08: a cgroup of its own */
    char *resolv;             /* 07: what /etc/resolv.conf shall say; NULL or "": as in the root */
    struct environment environment;
    const char *user, *workdir; /* NULL: root, "/" */
    char **command;
    int stop_signal; /* 0: SIGTERM */
    uint64_t capabilities;
    struct streams streams;   /* standard input, output and error */
    struct layers layers;     /* 09 */
    struct cgroup_plan group; /* 08; the last, as it is large and hardly filled */
};

/* Host. Fill PLAN from OPTIONS as far as it goes without making anything. Mistakes end the tool. */
void plan_options(struct plan *plan, const struct run_options *options);

/*
 * Host, once the box's name is taken. Find the root and, for an image, what it says of the command;
 * take a range of users. Returns 0 or, after report(), -errno.
 */
int plan_root(struct plan *plan);

/* The CLONE_NEW* flags for it. */
uint64_t plan_namespaces(const struct plan *plan);

#endif
