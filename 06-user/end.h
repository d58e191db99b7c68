/* The end of the box, seen from the host while it still has work to do for it. */
#ifndef END_H
#define END_H

#include <signal.h>
#include <sys/types.h>

/*
 * Host. Wait at most MILLISECONDS for the end of the child PID, which spawn_wait() can still reap.
 * Returns 1 with END filled in, 0 if the time is up, or -errno, without a report, if PID is not a
 * child of this process. waitid(2), WNOWAIT
 */
int child_end(pid_t pid, int milliseconds, siginfo_t *end);

#endif
