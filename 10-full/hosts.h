/* Names for which no name server has to be asked: the text of /etc/hosts, see hosts(5). */
#ifndef HOSTS_H
#define HOSTS_H

#include <stdint.h>

/*
 * Host. One --add-host: NAME:ADDRESS, or with "=" as docker has it, too. "host-gateway" stands for
 * the address by which the box reaches the host. Mistakes end the tool.
 */
void hosts_check(const char *text);

/*
 * Either side. The file for a box: localhost, then COUNT lines for ADDED as hosts_check() has
 * passed them, then the box's own NAME at ADDRESS. Addresses in host byte order. To be freed.
 */
char *hosts_compose(const char *const *added, int count, const char *name, uint32_t address,
                    uint32_t gateway);

#endif
