/*
 * A box that stands still for a while, so that its files can be read as they are at one moment.
 *
 * Its control group is frozen where it has one, and its processes are stopped (SIGSTOP) where not.
 * Neither ends by itself when the command that asked for it is killed. So a process of its own sees
 * to both, and lets the box go on as soon as the other end of a socket is closed: the kernel does
 * that, however the command ends.
 */
#ifndef STILL_H
#define STILL_H

#include <sys/types.h>

#include "spec.h"

struct still {
    pid_t keeper; /* that process; 0 if there is none, as the box has ended already */
    int socket;   /* our end: shut down or closed, it lets the box go on; -1 if there is none */
};

/* Host. Let the box of STATE stand still. Returns 0, or after report() -errno: then it goes on. */
int still_begin(struct still *still, const struct spec *state);

/* Host. Let it go on, and wait until it does. Returns 0, or a negative number after report(). */
int still_end(struct still *still);

#endif
