/* Settings of the kernel, see sysctl(8), and the note of what they were before. */
#ifndef SETTING_H
#define SETTING_H

#include "link.h"
#include "nat.h"

/*
 * Host. The box with NOTE needs the setting NAME, a file below /proc/sys/net/ipv4, to be 1. If it
 * is not, or was not before a box among TABLES came, put into NOTE what it was.
 */
int setting_note(const char *name, const struct nat_tables *tables, char *note);

/*
 * Host. The same for ip_forward, the first in any NOTE. A change of that changes others:
 * conf/all/accept_redirects becomes its opposite, and conf/LINK/forwarding of all LINKS the same.
 * So these are noted, too, if they are not what it would make of them in the end. See
 * inet_forward_change() in the kernel's net/ipv4/devinet.c.
 */
int setting_note_forwarding(const struct links *links, const struct nat_tables *tables, char *note);

/* Host. Set all that the box with NOTE needs to 1. */
int setting_apply(const char *note);

/* Host. Set what is in NOTE, and in that of no table in TABLES but SELF, to what it was before. */
int setting_restore(const char *note, const struct nat_tables *tables, const char *self);

/* All return 0 or, after report(), -errno. */

#endif
