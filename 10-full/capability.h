/*
 * Capabilities: root's power in pieces. See capabilities(7). A box's root needs few of them; the
 * table in capability.c has them all, with reasons.
 */
#ifndef CAPABILITY_H
#define CAPABILITY_H

#include <stdint.h>
#include <sys/types.h>

/* What --cap-add and --cap-drop have named; begins as {0}. Bit N is capability N. */
struct capability_choice {
    uint64_t add, drop;
};

/* Host. The bit of NAME, which is as in the table, in either case, with or without CAP_ in front;
 * or all bits for ALL. Another name ends the tool. */
uint64_t capability_named(const char *name);

/* Host. The set that comes of it, as docker counts: the default less what is dropped, then what is
 * added; but "add ALL" leaves all but what is dropped. */
uint64_t capability_chosen(const struct capability_choice *choice);

/* Box. Drop all but SET from the bounding set: no execve(2) gives them back. Errors end the tool.
 */
void capability_bound(uint64_t set);

/*
 * Box, after the change of identity. Hold SET as root (USER 0), effective and permitted, and none
 * as any other user; nothing is inheritable, nothing ambient. Some machines' root is not whole:
 * what CHOICE adds by name has to be there, or the tool ends; of the rest, what is there is held.
 */
void capability_hold(uint64_t set, const struct capability_choice *choice, uid_t user);

#endif
