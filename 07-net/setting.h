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

/*
 * Set FAMILY/conf/LINK/SETTING to VALUE, if it is not so already, for as long as CLAIM lasts. A
 * CLAIM that is NULL: for a link that goes with us; not done where /proc/sys is read-only, as in a
 * container. A setting that isn't there is no error: it went with its link.
 */
int setting_change(struct claim *claim, const char *family, const char *link, const char *setting,
                   char value);

/* For undo.c: set NAME to OLD again. */
int setting_restore(const char *name, char old);

/* Whether a packet is forwarded depends on the link that it comes in by. Is it, from LINK? */
bool setting_forwards(const char *link);

#endif
