/*
 * A stack of directories seen as one: read-only layers below, a writable one on top. The kernel's
 * overlay file system; see mount(8), "Mount options for overlay".
 *
 * A file of a lower layer that is written to is first copied up into the upper layer. A file that
 * is deleted leaves a whiteout there, a character device 0:0, so that the layers below no longer
 * show through. A directory that is deleted and made again is marked opaque by an extended
 * attribute.
 *
 * An error in any of these functions ends the tool.
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

/* Either side. One more lower layer, below the others. */
void stack_add(struct stack *stack, const char *lower);

/* Either side. Are all directories there that a stack needs, and is the upper one in none of the
 * others? The kernel checks the rest. */
void overlay_check(const struct stack *stack);

/* Box. First, a new tmpfs on SCRATCH, and in it a directory to mount the stack on, which is
 * returned. If the stack has no upper layer, it gets one there. */
char *overlay_temporary(struct stack *stack, const char *scratch);

/* Box. Make the directory SCRATCH/NAME. Returns its path. */
char *overlay_directory(const char *scratch, const char *name);

/*
 * Box. Mount the stack on the directory TARGET; device files in it open no device. In a user
 * namespace overlay keeps its marks in attributes "user.overlay.*" (mount option userxattr),
 * because "trusted.*" is for the host's root alone.
 */
void overlay_mount(struct stack *stack, const char *target);

/* Box. Then, mount what is below the upper layer: the stack as it was before the box wrote to it.
 * Returns a descriptor, which outlives the box. */
int overlay_below(const struct stack *stack);

/*
 * Box. Make MERGED, where a stack is mounted, the root, and go there. /proc, /sys and /dev come
 * along from outside, if the stack has directories to mount them on; but not COVERED, a directory
 * that has been covered by overlay_temporary().
 */
void stack_enter(const char *merged, const char *covered);

/* Either side. A directory of this root that may be covered by a mount, because none of the stack's
 * directories, nor ALSO (unless NULL), lies in it. */
const char *overlay_scratch(const struct stack *stack, const char *also);

#endif
