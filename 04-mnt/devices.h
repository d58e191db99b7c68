/* A /dev of its own: the few devices that every program expects, and none of the machine's. */
#ifndef DEVICES_H
#define DEVICES_H

#include "mount.h"

/*
 * Box. Mount a new /dev in ROOT, and return it as a root for what is mounted there later: null,
 * zero, full, random, urandom, tty; pts and shm; the links fd, stdin, stdout, stderr and ptmx; an
 * empty directory mqueue for chapter 5. The devices are the host's, bound read-only. An error ends
 * the tool.
 */
struct root mount_devices(const struct root *root);

#endif
