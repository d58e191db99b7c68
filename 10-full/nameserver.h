/* How the box finds the address of a name: /etc/hosts, and whom to ask in /etc/resolv.conf. */
#ifndef NAMESERVER_H
#define NAMESERVER_H

#include <stdbool.h>

#include "../04-mnt/mount.h"

/*
 * Box, after its /dev is there and before its volumes are. Let the file NAME of ROOT's /etc say
 * TEXT, by a file of the box's own, made in its /dev, DEV, and bound over it. The file it is bound
 * over is made if MAKE says so, or if a link leads to where it should be; else a root without one
 * stays without. An error ends the tool.
 */
void nameserver_bind(const struct root *root, const struct root *dev, const char *name,
                     const char *text, bool make);

#endif
