/* What the writable layer holds beyond the layers below it: what was added, changed, deleted. */
#ifndef DIFF_H
#define DIFF_H

#include <stdbool.h>

#include "overlay.h"

/*
 * Either side. Print a line to standard output for each path below UPPER, a descriptor of the upper
 * directory of STACK: "A /new", "C /changed", "D /deleted", as docker diff does; directories come
 * before what is in them. Control characters in names are printed as \ooo. Returns 0, or a negative
 * errno after saying what is wrong.
 */
int diff_print(int upper, const struct stack *stack);

/* Either side. Is NAME in DIRECTORY a whiteout: a character device 0:0? */
bool diff_is_whiteout(int directory, const char *name);

/* Either side. Is the open directory marked opaque: does nothing show through from below? */
bool diff_is_opaque(int directory);

#endif
