/* How the box finds the address of a name: /etc/hosts, see hosts(5), and /etc/resolv.conf. */
#ifndef HOSTS_H
#define HOSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "../04-mnt/mount.h"

/*
 * Host. One --add-host: NAME:ADDRESS, or with "=" as docker has it, too. "host-gateway" stands for
 * the address by which the box reaches the host. Returns TEXT; a mistake ends
 * the tool.
 */
const char *hosts_check(const char *text);

/*
 * Either side. The file for a box: localhost, then lines for ADDED as hosts_check() has
 * passed them, then the box's own NAME at ADDRESS. Addresses in host byte order. To be freed.
 */
char *hosts_compose(char *const *added, const char *name, uint32_t address, uint32_t gateway);

/*
 * Box, after its /dev is there and before its volumes are. Let the file NAME of ROOT's /etc say
 * TEXT, by a file of the box's own, made in its /dev, DEV, and bound over it. The file it is bound
 * over is made if MAKE says so, or if a link leads to where it should be; else a root without one
 * stays without. An error ends the tool.
 */
void hosts_bind(const struct root *root, const struct root *dev, const char *name, const char *text,
                bool make);

#endif
