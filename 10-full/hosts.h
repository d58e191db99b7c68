/* How the box finds the address of a name: /etc/hosts, see hosts(5), and /etc/resolv.conf. */
#ifndef HOSTS_H
#define HOSTS_H

#include "spec.h"

/*
 * Host. One --add-host: NAME:ADDRESS, or NAME=ADDRESS, as docker accepts. "host-gateway" stands for
 * the address at which the box reaches the host. Returns TEXT; a mistake ends the tool.
 */
const char *hosts_check(const char *text);

/*
 * Box, once its /dev exists and before its volumes. Bind files of the box's own, made in its /dev,
 * DEV, over hosts and resolv.conf in ROOT's /etc. A directory of the host's gets no new files
 * unless an option asks for them: there, files that are missing stay missing. An error ends the
 * tool.
 */
void hosts_bind(const struct root *root, const struct root *dev, const struct spec *spec);

#endif
