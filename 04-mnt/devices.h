/* A /dev of the box's own: the few devices that every program expects, and no others. */
#ifndef DEVICES_H
#define DEVICES_H

#include "mount.h"

/*
 * Box. Mount a new /dev in ROOT with null, zero, full, random, urandom and tty; pts and shm; the
 * links fd, stdin, stdout, stderr and ptmx; and an empty directory mqueue for chapter 5. The
 * devices are the host's, bound read-only. Returns it as a root for later mounts. An error ends the
 * tool.
 */
struct root mount_devices(const struct root *root);

#endif
