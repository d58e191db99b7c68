/*
 * A stack of directories seen as one: read-only layers below, a writable one on top. The kernel's
 * overlay file system; see mount(8), "Mount options for overlay".
 *
 * A file of a lower layer that is written to is first copied up into the upper layer. A file that
 * is deleted leaves a whiteout there, a character device 0:0, so that the layers below no longer
 * show through. A directory that is deleted and made again is marked opaque by an extended
 * attribute.
 */
#ifndef OVERLAY_H
#define OVERLAY_H

#include <stdbool.h>
#include <stddef.h>

/* As many short names fit into a page, which is all that mount(2) takes. The kernel stacks 500. */
enum { OVERLAY_MAX_LAYERS = 400 };

/* The strings stay the caller's. */
struct stack {
    const char *upper; /* NULL: none yet, or a stack that can't be written to */
    const char *work;  /* the kernel's own, on the same mount as upper, empty */
    bool is_fresh;     /* upper has just been made: to look as the topmost lower does */
    size_t count;
    const char *lowers[OVERLAY_MAX_LAYERS]; /* topmost first */
    const char *scratch;                    /* a tmpfs of the box's own: overlay_temporary() */
};

/* Either side. One more lower layer, below the others. One too many ends the tool. */
void stack_add(struct stack *stack, const char *lower);

/*
 * Either side. An error ends the tool unless there is all that a stack needs. What the directories
 * must not be to each other the kernel checks itself.
 */
void overlay_check(const struct stack *stack);

/*
 * The following run in the box, and an error in any of them ends the tool. First, a new tmpfs on
 * SCRATCH, and in it a directory to mount the stack on, which is returned. If the stack has no
 * upper layer, it gets one there: it is thrown away with the tmpfs.
 */
char *overlay_temporary(struct stack *stack, const char *scratch);

/* Make the directory SCRATCH/NAME. Returns its path. */
char *overlay_directory(const char *scratch, const char *name);

/*
 * Mount the stack on the directory TARGET; device files in it open no device. In a user namespace
 * overlay keeps its marks in attributes "user.overlay.*" (mount option userxattr), because
 * "trusted.*" is for the host's root alone. Directories that are moved, and files whose mode or
 * owner changes, come into the upper layer whole.
 */
void overlay_mount(struct stack *stack, const char *target);

/*
 * Then, mount what is below the upper layer: the stack as it was before the box wrote to it.
 * Returns a descriptor, which outlives the box.
 */
int overlay_below(const struct stack *stack);

/*
 * Make MERGED, where a stack is mounted, the root, and go there. /proc, /sys and /dev come along
 * from outside, if the stack has directories to mount them on; but not COVERED, a directory that
 * has been covered by overlay_temporary().
 */
void stack_enter(const char *merged, const char *covered);

/*
 * Either side. A directory of this root that may be covered by a mount, because none of the stack's
 * directories, nor ALSO (unless NULL), lies in it. If there is none, the tool ends.
 */
const char *overlay_scratch(const struct stack *stack, const char *also);

#endif
