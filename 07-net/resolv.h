/* What programs read about the network: /sys/class/net and /etc/resolv.conf. */
#ifndef RESOLV_H
#define RESOLV_H

#include <stdbool.h>
#include <stdint.h>

#include "../04-mnt/mount.h"

enum { RESOLV_TEXT = 4096 };

/*
 * Host. What resolv.conf(5) says in a box that has COUNT nameservers at DNS (host byte order),
 * or the host's if COUNT is 0. A nameserver at 127.0.0.53 or the like is the host's own and out of
 * the box's reach: then those which it asks itself are taken, or none. Goes into TEXT of
 * RESOLV_TEXT bytes. Returns false if it is what the host's file says anyway.
 */
bool resolv_compose(const uint32_t *dns, int count, char *text);

/*
 * Box, in a mount namespace of its own, after mounts_make_private(). Let the file at PATH in ROOT
 * say TEXT, by a file of the box's own bound over it: NAME in MEMORY, which is a tmpfs, and out of
 * sight then. An error ends the tool.
 */
void resolv_cover(const struct root *root, const char *path, const char *text,
                  const struct root *memory, const char *name);

/* Box, as above. Let /etc/resolv.conf say TEXT. An error ends the tool. */
void resolv_bind(const char *text);

/*
 * Box, as above. /sys shows the links of the network namespace in which it was mounted, so mount a
 * new one on it, and the cgroup tree in that again. sysfs(5). An error ends the tool.
 */
void sys_mount(void);

#endif
