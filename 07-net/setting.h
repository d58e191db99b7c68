/* Settings of the kernel, see sysctl(8), and the note of what they were before. */
#ifndef SETTING_H
#define SETTING_H

#include "nat.h"

/*
 * Host. The box with NOTE needs the setting NAME ("net/ipv4/ip_forward") to be 1. If it is not, or
 * was not before a box among TABLES came, put into NOTE what it was.
 */
int setting_note(const char *name, const struct nat_tables *tables, char *note);

/* Host. Set all that is in NOTE to 1. */
int setting_apply(const char *note);

/* Host. Set what is in NOTE, and in that of no table in TABLES but SELF, to what it was before. */
int setting_restore(const char *note, const struct nat_tables *tables, const char *self);

/* All return 0 or, after report(), -errno. */

#endif
