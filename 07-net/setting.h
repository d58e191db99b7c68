/* Settings of the network namespace: files below /proc/sys/net, see sysctl(8). */
#ifndef SETTING_H
#define SETTING_H

#include "claim.h"

/* Host. The value of NAME, such as ipv4/ip_forward: its first letter, '\0' if there is no such one.
 */
char setting_read(const char *name);

/* Host. Write VALUE to NAME, which is no error if there is no such setting: it went with its link.
 * Returns 0 or, after report(), -errno. */
int setting_write(const char *name, char value);

/* Host. Set NAME to VALUE, if it is not so already, for as long as CLAIM lasts. As above. */
int setting_change(struct claim *claim, const char *name, char value);

/*
 * Host. No IPv6 on LINK, which goes with us: or a box could make itself the host's router by one
 * packet. Not done where /proc/sys is read-only, as in a container. As above.
 */
int setting_disable_ipv6(const char *link);

/*
 * Host. Undo the switching on of LINK's forwarding. If ip_forward is on by now, somebody else needs
 * it (docker, say), and all links forward: so nothing is done then.
 */
int setting_stop_forwarding(const char *link);

#endif
