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

enum { OVERLAY_MOST_LAYERS = 500 }; /* OVL_MAX_STACK of the kernel */

/* The strings stay the caller's. */
struct stack {
    const char *upper; /* NULL: none yet, or a stack that can't be written to */
    const char *work;  /* the kernel's own, on the same mount as upper, empty */
    bool is_fresh;     /* upper has just been made: to look as the topmost lower does */
    size_t count;
    const char **lowers; /* topmost first; stack_add() makes room for one more */
};

/* Either side. One more lower layer, below the others. One too many ends the tool. */
void stack_add(struct stack *stack, const char *lower);

/*
 * Either side. Is the stack one that the kernel will take, and that means what the user meant?
 * Returns 0, or -errno after a report() that says more than the kernel's EINVAL does.
 */
int overlay_check(const struct stack *stack);

/*
 * Box. Mount the stack on the directory TARGET; device files in it open no device. In a user
 * namespace overlay keeps its marks in attributes "user.overlay.*" (mount option userxattr), as
 * "trusted.*" is the host's root's alone. Directories that are moved, and files whose mode or owner
 * changes, come into the upper layer whole. Strings longer than a page, which is all that mount(2)
 * takes, are shortened through the descriptors of the directories. Returns 0, or -errno after
 * report().
 */
int overlay_mount(const struct stack *stack, const char *target);

/*
 * Box. A new tmpfs on SCRATCH, and in it a directory "merged" to mount the stack on, whose path of
 * less than PATH_MAX bytes goes into MERGED. If the stack has no upper layer, it gets one there: it
 * is thrown away with the tmpfs. Returns 0, or -errno after report().
 */
int overlay_temporary(struct stack *stack, const char *scratch, char *merged);

/*
 * Box, after overlay_temporary(), with the same SCRATCH. Mount there what is below the upper layer:
 * the stack as it was before the box wrote to it. Returns a descriptor, which outlives the box, or
 * -errno after report().
 */
int overlay_below(const struct stack *stack, const char *scratch);

/*
 * Box. Make MERGED, where a stack is mounted, the root, and go there. /proc, /sys and /dev come
 * along from outside, if the stack has directories to mount them on; but not COVERED, a directory
 * that has been covered by overlay_temporary(). An error ends the tool.
 */
void stack_enter(const char *merged, const char *covered);

/*
 * Either side. Does a tmpfs keep attributes "user.*", and with them the marks of overlay in a user
 * namespace? From Linux 6.6 on. Before, no directory of a lower layer can be deleted or renamed if
 * the upper one is a tmpfs.
 */
bool overlay_tmpfs_keeps_marks(void);

/*
 * Either side. A directory of this root that may be covered by a mount, because none of the stack's
 * directories, nor ALSO (unless NULL), lies in it. Returns NULL, after saying so, if there is none.
 */
const char *overlay_scratch(const struct stack *stack, const char *also);

#endif
