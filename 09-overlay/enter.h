/* The stack as the root of the box: with what chapters 3 and 4 have, and nothing of it is new. */
#ifndef ENTER_H
#define ENTER_H

/*
 * Box. Make MERGED, where a stack is mounted, the root, and go there. /proc, /sys and /dev come
 * along from outside, if the stack has directories to mount them on; but for COVERED, a directory
 * that has been covered by overlay_temporary(). An error ends the tool.
 */
void stack_enter(const char *merged, const char *covered);

#endif
