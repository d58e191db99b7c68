/*
 * What is known about each box, for the commands that come after 'run'. A box that is named or
 * detached, or whose layer lies on the disk, has its directory in the store (chapter 9), which
 * outlives a boot; any other one below claim_home() (chapter 7).
 *
 *   boxes/TOKEN/state        its spec, as JSON; from the moment on when its command runs
 *   boxes/TOKEN/log          what a detached box prints
 *   boxes/TOKEN/upper, work  its layer
 *   boxes/NAME               a symbolic link to TOKEN: while it is there, the name is taken
 *
 * TOKEN is that of the box's claim, called box-NAME, which the monitor holds as long as it lives. A
 * box that is kept after its end has no lines in it: whatever ends the monitor, the box stays.
 *
 * All functions run on the host and return -errno after report(), or a value as described.
 */
#ifndef STATE_H
#define STATE_H

#include "../07-net/claim.h"
#include "spec.h"

/*
 * Begin a box: CLAIM its name, and make its directory, as CLAIM's lines then say. -EEXIST
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
 * The same, but wait for a box that is just being made: until its command runs, it has no pid, and
 * nobody may enter it, as its root is still the host's. -ETIMEDOUT (reported) after five seconds;
 * -EINVAL (reported) for one whose monitor has no number here.
 */
int state_await(const char *name, struct spec *spec);

/* The first process of the box, or its monitor, as a descriptor, pidfd_open(2), to be closed; -1 if
 * it has ended: its pid may be another process's by now. */
int state_process(const struct spec *spec);
int state_monitor(const struct spec *spec);

/* The names of all boxes, sorted; *NAMES is allocated, with each name. Returns how many. */
int state_list(char ***names);

/* Undo what killed monitors have left, but for the boxes that are kept. */
void state_sweep(void);

/* Remove what is left of a box that has ended, unless the name is another box's by now. */
int state_forget(const struct spec *spec);

/*
 * At the end of its monitor, and later: CLAIM says how the box has ended, if somebody has it open
 * and waits. state_follow() opens it, -1 if nobody holds it; state_told() reads, -1 for nothing.
 */
int state_tell(struct claim *claim, int status);
int state_follow(const struct spec *spec);
int state_told(int claim);

/* The start time of PID, field 22 of /proc/PID/stat; 0 if there is no such process. */
uint64_t state_birth(pid_t pid);

#endif
