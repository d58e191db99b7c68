/*
 * Settings of the network namespace: files below /proc/sys/net, see sysctl(8). All functions run on
 * the host. Those that return an int return 0 or, after report(), -errno.
 */
#ifndef SETTING_H
#define SETTING_H

#include <stdbool.h>

#include "claim.h"

/* The value of NAME, such as ipv4/ip_forward: its first letter, '\0' if there is no such setting.
 */
char setting_read(const char *name);

/* Set NAME to VALUE, if it is not so already, for as long as CLAIM lasts; set it to OLD again. A
 * setting that isn't there is no error: it went with its link. */
int setting_change(struct claim *claim, const char *name, char value);
int setting_restore(const char *name, char old);

/* No IPv6 on LINK, which goes with us: a box could make itself the host's router by one packet. Not
 * done where /proc/sys is read-only, as in a container. */
int setting_disable_ipv6(const char *link);

/* Whether a packet is forwarded depends on the link that it comes in by. Is it, from LINK? And
 * switch it on, for as long as CLAIM lasts. */
bool setting_forwards(const char *link);
int setting_forward(struct claim *claim, const char *link);

#endif
