/*
 * A box for programs of this machine that handle files from strangers: tar, gzip, zstd.
 *
 * It is made of what the earlier chapters have taught: mount, network, pid and IPC namespaces of
 * its own, a root that holds the machine's programs, read-only, and one directory to work in. PID 1
 * of the box is still this tool, and ours; what it starts has the few capabilities that tar needs
 * for owners and devices, and no way to more.
 */
#ifndef WORKBOX_H
#define WORKBOX_H

#include <sys/types.h>

#include "../02-uts/spawn.h"

/*
 * Host. Make a box, like fork: in the box, as its PID 1, the child's pid is 0. Its working
 * directory is DIRECTORY, there called /layer, all that it can write to. It has INPUT and OUTPUT as
 * standard input and output (-1: /dev/null), and no other descriptor but standard error, which the
 * host reads at its end. An ordinary user's box is in a user namespace too. Signals are blocked
 * from here on.
 */
struct child work_start(const char *directory, int input, int output);

/* Host. Wait until at most LIMIT of COUNT boxes are still at work; those that have ended have the
 * pid 0. A signal ends all of them and the tool; so does the first one that fails. */
void work_wait(struct child *boxes, size_t count, size_t limit);

/* Host. Run COMMAND, words separated by blanks, in such a box. LABEL is what errors begin with. */
void work_run(const char *command, const char *directory, int input, int output, const char *label);

/* Box. A close-on-exec pipe with a large buffer. An error ends the box. */
void work_pipe(int ends[2]);

/* A program at work in a box. */
struct worker {
    pid_t pid;
    int errors; /* what it complains about is read here */
};

/* Box. Start COMMAND with INPUT and OUTPUT, which are closed here unless they are standard ones. */
struct worker worker_start(const char *command, int input, int output);

/* Box. Wait for its end. If it fails, so does the box, with LABEL and its first complaint. */
void worker_end(const struct worker *worker, const char *label);

#endif
