/*
 * A box that stands still for a while, so that its files can be read as they are at one moment: its
 * control group is frozen.
 *
 * That doesn't end by itself when the command that asked for it is killed. So a process of its own
 * sees to it, and lets the box go on as soon as the other end of a socket is closed: the kernel
 * does that, however the command ends.
 */
#ifndef STILL_H
#define STILL_H

#include "spec.h"

/* Host. Let the box of STATE stand still until the socket that this returns is shut down or closed.
 * Or returns, after report(), -errno: then it goes on. A box that has ended needs nothing. */
int still_begin(const struct spec *state);

/* Host. Let it go on, and wait until it does. Returns 0, or a negative number after report(). */
int still_end(int socket);

#endif
