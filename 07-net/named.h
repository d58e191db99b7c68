/*
 * Named network namespaces, as 'ip netns' makes and lists them: a file in /run/netns on which the
 * namespace is mounted. See ip-netns(8).
 *
 * The name keeps the namespace alive, also when the tool has been killed. So beside it lies a file
 * in /run/ten-steps/netns which the tool keeps locked: a name whose file is not locked is a dead
 * one.
 */
#ifndef NAMED_H
#define NAMED_H

#include <sys/types.h>

/* Host. End the tool if NAME can't be the name of a namespace. */
void named_check(const char *name);

/* Host. Take back the names that killed tools have left. Costs nothing if there are none. */
void named_sweep(void);

/* Host. Give the network namespace of process BOX the name NAME. Returns 0 or, after report(),
 * -errno: then nothing was made. */
int named_make(const char *name, pid_t box);

/* Host. Undo named_make(), if it was done. Returns 0 or, after report(), -errno. */
int named_remove(const char *name);

/* Host. Go into the network namespace called NAME. setns(2). An error ends the tool. */
void named_join(const char *name);

#endif
