/*
 * A child in new namespaces, made like fork: spawn() returns twice, once on the host and once in
 * the box.
 *
 * From then on the two sides run at the same time. Where the box must not continue before the host
 * has done its part, spawn_go() on the host and spawn_wait_go() in the box keep them in step. An
 * error is reported by the side where it happened; the other side exits silently.
 */
#ifndef SPAWN_H
#define SPAWN_H

#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>

struct child {
    pid_t pid; /* on the host: the child's pid; in the box: 0, as with fork */
    int pidfd; /* on the host: the child, safe against reuse of its pid; in the box: -1 */
    int sync;  /* this side's end of the socket pair between the two */
};

/*
 * Host. Create a child with clone3(2), in NAMESPACES, a set of CLONE_NEW* flags that may be 0. From
 * here on, the signals that are passed on stay blocked on both sides. The child dies when the tool
 * dies. An error ends the tool.
 */
struct child spawn(uint64_t namespaces);

/* Host. The host has done its part: the box may go on. Without this call it ends. */
void spawn_go(const struct child *child);

/* Box. Wait for spawn_go(). Ends the box silently if the host has failed or died instead. */
void spawn_wait_go(const struct child *child);

/* Box. The last step: execute the command. Does not return. */
noreturn void spawn_exec(const struct child *child, char **command);

/*
 * Host. Pass signals on until the child ends, and reap any other children of this process. Returns
 * the exit status that the tool should have: the child's own, or 128+N if signal N killed it.
 */
int spawn_wait(const struct child *child);

/* The rest is for later chapters. */

/* Box. Die when the tool dies. A change of credentials clears that, spawn_exec() renews it. */
void spawn_tie(const struct child *child);

/* Host. Wait until the box has executed its command. Returns 0 if it did or was killed; 1 if it
 * could not, and has reported why. An error ends the tool. */
int spawn_wait_exec(const struct child *child);

/*
 * Host. For tools that have something to undo: block what spawn() would, before they create it, and
 * hold stops. Then spawn_with() is spawn() with clone3(2)'s ARGUMENTS, .flags and .cgroup; an error
 * is reported, and the child's pid is -1.
 */
void spawn_block_signals(void);
struct child spawn_with(struct clone_args arguments);

/* Host. The signals that are passed on (SIGHUP unless it was ignored at the start), and SIGCHLD. */
sigset_t spawn_signals(void);

/*
 * Host. Hold off Ctrl-Z and the like, or let them through again; calls nest. A tool must not be
 * stopped while others wait for its lock. spawn_wait() lets them through while it waits.
 */
void spawn_hold_stops(bool hold);

#endif
