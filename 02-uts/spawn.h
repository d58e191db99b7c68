/*
 * A child in new namespaces, made like fork: spawn() returns twice, once on the host and once in
 * the box.
 *
 * From then on the two sides run at the same time. What one must not do before the other has done
 * its part is kept in step by spawn_go() on the host and spawn_wait_go() in the box. An error on
 * either side is told by the side that met it; the other side then ends without a word.
 */
#ifndef SPAWN_H
#define SPAWN_H

#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>

struct child {
    pid_t pid; /* on the host: the child's pid; in the box: 0, as with fork */
    int pidfd; /* on the host: the child, safe against reuse of its pid; in the box: -1 */
    int sync;  /* this side's end of the socket pair between the two */
};

/*
 * Host. Make a child with clone3(2); NAMESPACES is made of CLONE_NEW* flags and may be 0. The
 * signals that are passed on stay blocked on both sides from here on. The child dies when the tool
 * dies. An error ends the tool.
 */
struct child spawn(uint64_t namespaces);

/*
 * Host. The same with all of clone3(2)'s ARGUMENTS, of which .flags, and with CLONE_INTO_CGROUP
 * .cgroup, are the caller's: for tools that have something to undo. So an error does not end the
 * tool: it is reported, and the child's pid is -1.
 */
struct child spawn_with(struct clone_args arguments);

/*
 * Host. Block the signals that are passed on, and SIGPIPE, here already: for tools that make
 * something before the child, which a signal must not keep them from undoing. What is passed on
 * reaches the child when it is there.
 */
void spawn_block_signals(void);

/*
 * Host. The signals that reach the command, and SIGCHLD, for which spawn_wait() waits. A hangup is
 * not among them if the tool was started with it ignored.
 */
sigset_t spawn_signals(void);

/*
 * Host. Hold off Ctrl-Z and the like (SIGTSTP, SIGTTIN, SIGTTOU), or let them through again; calls
 * nest. A tool that holds what others wait for, such as a lock, must not be stopped there: they
 * would wait until it is continued. spawn_block_signals() holds them off, and spawn_wait() lets
 * them through while it waits.
 */
void spawn_hold_stops(bool hold);

/* Host. The host has done its part: the box may go on. Anything else than this lets it end. */
void spawn_go(const struct child *child);

/*
 * Host. Wait until the box has executed its command, or has ended without. Returns 1, also if it
 * was killed before; or 0 if it could not: it has told why, and spawn_wait() will tell its exit
 * status; or, after report(), -errno.
 */
int spawn_wait_exec(const struct child *child);

/* Box. Wait for spawn_go(). Ends the box silently if the host has failed or died instead. */
void spawn_wait_go(const struct child *child);

/*
 * Box. Die when the tool dies, by SIGKILL. spawn() and spawn_exec() see to it; only who changes
 * credentials and does not exec needs to call it again, as the change clears it. prctl(2)
 */
void spawn_tie(const struct child *child);

/* Box. The last step: execute the command. Does not return. */
noreturn void spawn_exec(const struct child *child, char **command);

/*
 * Host. Pass signals on until the child ends; reap whatever else is this process's child. Returns
 * the exit status that the tool should have: the child's own, or 128+N if signal N killed it.
 */
int spawn_wait(const struct child *child);

#endif
