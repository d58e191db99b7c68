/*
 * With --detach: the command goes on in the background, and what it prints goes to a log.
 *
 * The monitor writes the log, of which it keeps the last 10 to 11 MB: what is older becomes a
 * hole in the file, see fallocate(2). The box has a pipe instead, so it can neither fill the disk
 * nor change what it has said.
 */
#ifndef BACKGROUND_H
#define BACKGROUND_H

#include <stdbool.h>
#include <sys/types.h>

#include "../02-uts/spawn.h"

/*
 * Host. Goes on in a new process, in a session of its own, with the descriptor returned; errors
 * still go to the caller's standard error, but else its standard streams are /dev/null. The
 * process before it waits until background_tell() has been called there, prints NAME unless that is
 * NULL, and ends with the status given there; after a failure it first waits for the end of the new
 * one. An error ends the tool.
 */
int background_begin(const char *name);

/*
 * Host, in the new process. Its CHILD has EXECUTED the command, or could not: tell the one that
 * waits, and let go of the terminal. -errno if that fails, with report(), but for -EPIPE: nobody
 * waits any more.
 */
int background_tell(int waiting, const struct child *child, bool executed);

/* Host. Begin a log at PATH. Returns what to write it to by log_write(). Errors end the tool. */
int log_open(const char *path);

/*
 * Host. As write(2), and to any file. The log takes everything: what finds no room on the disk is
 * lost, but the box goes on.
 */
ssize_t log_write(int file, const char *bytes, size_t count);

/*
 * Host. Print the log at PATH, and with MONITOR, a pidfd, go on until that process has ended; -1 is
 * for none. Errors end the tool.
 */
void log_print(const char *path, int monitor);

#endif
