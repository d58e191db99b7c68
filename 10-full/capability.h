/*
 * Capabilities: root's power in pieces. See capabilities(7). A box's root needs few of them; the
 * table in capability.c has them all, with reasons.
 */
#ifndef CAPABILITY_H
#define CAPABILITY_H

#include <stdint.h>
#include <sys/types.h>

/* Host. Of a set of capabilities, in which bit N is capability N, the bit of NAME, which is as in
 * the table, in either case, with or without CAP_ in front; or all bits for ALL. Another name ends
 * the tool. */
uint64_t capability_named(const char *name);

/* Host. The set that comes of --cap-add and --cap-drop, as docker counts: the default less what is
 * dropped, then what is added; but "add ALL" leaves all but what is dropped. */
uint64_t capability_chosen(uint64_t add, uint64_t drop);

/* Box. Drop all but SET from the bounding set: no execve(2) gives them back. Errors end the tool.
 */
void capability_bound(uint64_t set);

/*
 * Box, after the change of identity. Hold SET as root (USER 0), effective and permitted, and none
 * as any other user; nothing is inheritable, nothing ambient. Some machines' root is not whole:
 * what ADD has by name has to be there, or the tool ends; of the rest, what is there is held.
 */
void capability_hold(uint64_t set, uint64_t add, uid_t user);

#endif
