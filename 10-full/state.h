/*
 * What is known about each box, for the commands that come after 'run'. A box that is named or
 * detached, or whose layer lies on the disk, has its directory in the store (chapter 9), which
 * outlives a boot; any other one below claim_home() (chapter 7).
 *
 *   boxes/NAME/state        its spec, as JSON; from the moment on when its command runs
 *   boxes/NAME/log          what a detached box prints
 *   boxes/NAME/upper, work  its layer
 *
 * The name is taken while the directory is there. It is made and removed by whoever holds the claim
 * "box-NAME": the monitor, as long as it lives. The claim of a box that is kept after its end has
 * no lines: whatever ends the monitor, the box stays.
 *
 * All functions run on the host and return -errno after report(), or a value as described.
 */
#ifndef STATE_H
#define STATE_H

#include "../07-net/claim.h"
#include "spec.h"

/*
 * Begin a box: CLAIM its name, and make its directory, as CLAIM then says. -EEXIST
 * (reported) if the name is taken.
 */
int state_begin(struct spec *spec, struct claim *claim);

/*
 * The users of a box as the host counts them: each box that root starts gets a range of ids that
 * nobody else has, so that no process of it owns anything outside, nor in another box. Returns the
 * first id. The range is CLAIM's, by a symbolic link with its number. An error ends the tool.
 */
enum { STATE_IDS = 65536 };
uint32_t state_take_ids(struct claim *claim);

/* A path in the box's directory; lasts until the next call. */
const char *state_path(const struct spec *spec, const char *file);

/* Write SPEC, all of it or nothing. */
int state_write(const struct spec *spec);

/* Read the state of the box NAME, and see whether it runs. -ENOENT (reported) if there is none. */
int state_read(const char *name, struct spec *spec);

/*
 * The same for a command that does something with the box. One that is just being made is waited
 * for: until its command runs, nobody may enter it, as its root is still the host's. -ETIMEDOUT
 * (reported) after five seconds. If it runs, these are open, and -1 if not:
 *
 *   process  its first process: pidfd_open(2); -1 also if that has ended
 *   keeper   its monitor
 *   ending   its claim, for state_status()
 */
int state_open(const char *name, struct spec *spec);

/* How a box that state_open() has opened has ended; -1 if its monitor was killed. */
int state_status(const struct spec *spec);

/* The names of all boxes, a list; NULL if there are none. */
char **state_list(void);

/* Undo what killed monitors have left, but for the boxes that are kept. */
void state_sweep(void);

/* Remove what is left of a box that has ended, unless the name is another box's by now. */
int state_forget(const struct spec *spec);

#endif
