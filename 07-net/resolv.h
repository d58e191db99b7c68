/* The file that tells programs whom to ask for a name's address: resolv.conf(5). */
#ifndef RESOLV_H
#define RESOLV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RESOLV_TEXT = 4096 };

/*
 * Host. What resolv.conf shall say in a box that has COUNT nameservers at DNS (host byte order), or
 * the host's if COUNT is 0. A nameserver at 127.0.0.53 or the like is the host's own and out of the
 * box's reach: then those which it asks itself are taken, or none. Goes into TEXT of RESOLV_TEXT
 * bytes. Returns false if it is what the host's file says anyway.
 */
bool resolv_compose(const uint32_t *dns, int count, char *text);

/*
 * Box, in a mount namespace of its own, after mounts_make_private(). Let /etc/resolv.conf say TEXT,
 * by a file of the box's own bound over it. An error ends the tool.
 */
void resolv_bind(const char *text);

#endif
