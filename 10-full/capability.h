/*
 * Capabilities: root's power in pieces. See capabilities(7). A box's root needs few of them; the
 * table in capability.c has them all, with reasons.
 */
#ifndef CAPABILITY_H
#define CAPABILITY_H

#include <stdint.h>
#include <sys/types.h>

/* Host. The bit of the capability NAME (bit N is capability N), or all bits for ALL. The name may
 * be in either case, with or without CAP_. An unknown name ends the tool. */
uint64_t capability_named(const char *name);

/* Host. The set that results from --cap-add and --cap-drop, as with docker: the default without
 * DROP, then with ADD; but ADD of ALL means all without DROP. */
uint64_t capability_chosen(uint64_t add, uint64_t drop);

/* Box. Drop all but SET from the bounding set: no execve(2) returns them. An error ends the tool.
 */
void capability_bound(uint64_t set);

/*
 * Box, after the change of identity. As root (USER 0), hold SET, effective and permitted; as any
 * other user, none. Nothing is inheritable or ambient. The host's root may lack capabilities
 * itself: those that ADD names must be there, or the tool ends; the others are held if they are.
 */
void capability_hold(uint64_t set, uint64_t add, uid_t user);

#endif
