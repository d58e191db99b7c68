/*
 * --detach: the command continues in the background, and its output goes to a log.
 *
 * The monitor writes the log and keeps the last 10 to 11 MB of it: anything older becomes a hole in
 * the file, see fallocate(2). The box has only a pipe, so it can neither fill the disk nor change
 * what it has printed.
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

/* Host. Create a log at PATH. Returns the file for log_write(). An error ends the tool. */
int log_open(const char *path);

/* Host. Like write(2), to any file. The log accepts everything: if the disk is full, the rest is
 * lost, but the box continues. */
ssize_t log_write(int file, const char *bytes, size_t count);

/* Host. Print the log at PATH and, unless MONITOR is -1, follow it until the process with that
 * pidfd has ended. An error ends the tool. */
void log_print(const char *path, int monitor);

#endif
