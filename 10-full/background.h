/*
 * With --detach: the command goes on in the background, and what it prints goes to a log.
 *
 * The monitor writes the log, of which it keeps the last 10 to 11 MB: what is older becomes a
 * hole in the file, see fallocate(2). The box has a pipe instead, so it can neither fill the disk
 * nor change what it has said.
 */
#ifndef BACKGROUND_H
#define BACKGROUND_H

#include <sys/types.h>

/*
 * Host. Continue in a new process and session, with a descriptor for background_tell(). Errors
 * still go to the caller's standard error; otherwise its standard streams are /dev/null. The old
 * process waits: it prints NAME, unless that is NULL, when the command runs, and otherwise ends
 * with the status of the new one. An error ends the tool.
 */
int background_begin(const char *name);

/* Host, in the new process. The command runs: let the old one end, and let go of the terminal.
 * -errno on error, after report() unless it is -EPIPE: nobody waits any more. */
int background_tell(int waiting);

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
