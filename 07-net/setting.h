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

/* Write VALUE to NAME. No error if there is no such setting: it went with its link. */
int setting_write(const char *name, char value);

/* Set NAME to VALUE, if it is not so already, for as long as CLAIM lasts. */
int setting_change(struct claim *claim, const char *name, char value);

/* No IPv6 on LINK, which goes with us: a box could make itself the host's router by one packet. Not
 * done where /proc/sys is read-only, as in a container. */
int setting_disable_ipv6(const char *link);

/* Whether a packet is forwarded depends on the link that it comes in by. Is it, from LINK? */
bool setting_forwards(const char *link);

/*
 * Switch that on for as long as CLAIM lasts; and off again, unless ip_forward is on by then:
 * somebody else needs it (docker, say), and all links forward.
 */
int setting_forward(struct claim *claim, const char *link);
int setting_stop_forwarding(const char *link);

#endif
