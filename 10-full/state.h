/*
 * The state of each box, for the commands that come after 'run'. A box that is named or detached,
 * or has its layer on the disk, has its directory in the store (chapter 9), which outlives a boot;
 * any other box has it below claim_home() (chapter 7).
 *
 *   boxes/NAME/state        its spec, as JSON, from the moment when its command runs
 *   boxes/NAME/log          the output of a detached box
 *   boxes/NAME/upper, work  its layer
 *
 * The name is taken while the directory exists. Only the holder of the claim "box-NAME" creates or
 * removes it: the monitor, as long as it lives. The claim of a box that is kept after its end has
 * no lines: however the monitor ends, the box stays.
 *
 * All functions run on the host and return -errno after report(), or a value as described.
 */
#ifndef STATE_H
#define STATE_H

#include "../07-net/claim.h"
#include "spec.h"

/* Begin a box: CLAIM its name, and create its directory, with a line in CLAIM. -EEXIST (reported)
 * if the name is taken. */
int state_begin(struct spec *spec, struct claim *claim);

/*
 * Each box that root starts gets a range of the host's ids that nobody else has, so that its
 * processes own nothing outside, nor in another box. Returns the first id. A symbolic link with the
 * range's number, and a line in CLAIM, reserve it. An error ends the tool.
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
 * The same for a command that acts on the box. It waits for a box that is still being built: nobody
 * may enter it before its command runs, because its root is still the host's. -ETIMEDOUT (reported)
 * after five seconds. If the box runs, these are open, otherwise -1:
 *
 *   process  its first process: pidfd_open(2); -1 also if that has ended
 *   keeper   its monitor
 *   ending   its claim, for state_status()
 */
int state_open(const char *name, struct spec *spec);

/* A pidfd of PID if that is a child of PARENT, or -1: its number may be another's by now. */
int state_open_child(pid_t pid, pid_t parent);

/* The exit status of a box that state_open() opened and that has ended; -1 if its monitor was
 * killed. */
int state_status(const struct spec *spec);

/* The names of all boxes, a list; NULL if there are none. */
char **state_list(void);

/* Undo what killed monitors have left, except boxes that are kept. */
void state_sweep(void);

/* Remove what is left of a box that has ended, unless another box has its name by now. */
int state_forget(const struct spec *spec);

#endif
