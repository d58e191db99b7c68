/*
 * Named network namespaces, as 'ip netns' lists and enters them: entries of /run/netns, see
 * ip-netns(8). Those of ip are files with the namespace mounted on them, which keeps it alive. Ours
 * are links to /proc/PID/ns/net: they keep nothing alive, and are made in one step or not at all.
 */
#ifndef NAMED_H
#define NAMED_H

#include <sys/types.h>

#include "claim.h"

/* Host. End the tool if NAME can't be the name of a namespace. */
void named_check(const char *name);

/* Host. Give the network namespace of process BOX the name NAME, for as long as CLAIM lasts.
 * Returns 0 or, after report(), -errno. */
int named_make(struct claim *claim, const char *name, pid_t box);

/* Host. Go into the network namespace called NAME. setns(2). An error ends the tool. */
void named_join(const char *name);

#endif
