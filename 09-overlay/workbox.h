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

#include <stdint.h>
#include <sys/types.h>

/*
 * Host. Make a box, like fork: in the box, as its PID 1, 0 is returned. Its working directory is
 * DIRECTORY, all that it can write to, or if that is NULL an empty one. It has INPUT and OUTPUT as
 * standard input and output (OUTPUT -1: /dev/null), and no other descriptor but standard error. An
 * ordinary user's box is in a user namespace too. Returns the pid for work_wait(), or -errno after
 * report().
 *
 * The pid is that of a process on the host that waits for the box, and takes the signals that tools
 * block while they have a box. It is killed when its parent dies, and the box with it.
 */
pid_t work_start(const char *directory, int input, int output);

/* Either side. Wait for a process. Returns its exit status, or 128+N if signal N killed it. */
int work_wait(pid_t process);

/* Either side. A close-on-exec pipe with a large buffer. An error ends the process. */
void work_pipe(int ends[2]);

/* Box. Close FILE, unless it is a standard one, whose number something else would get. */
void work_close(int file);

/* A program at work in a box. */
struct worker {
    const char *const *command;
    pid_t pid;
    int errors; /* what it complains about is read here */
};

/* Box. Start COMMAND with INPUT and OUTPUT, on which work_close() is called here. */
struct worker worker_start(const char *const *command, int input, int output);

/* Box, when it has ended with STATUS. Report, with LABEL, its first complaint. Returns -EINVAL. */
int worker_tell(const struct worker *worker, const char *label, int status);

#endif
