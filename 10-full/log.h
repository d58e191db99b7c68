/*
 * What a detached box prints, the last 10 to 20 MB of it: in a file, and in one beside it, with
 * ".1" behind its name, what came before. The monitor writes both. The box has a pipe instead, so
 * it can neither fill the disk nor change what it has said.
 */
#ifndef LOG_H
#define LOG_H

#include <sys/types.h>

/* Host. Begin a log at PATH. Returns what to write it to by log_write(). Errors end the tool. */
int log_open(const char *path);

/*
 * Host. As write(2), and to any file. The log begins a new file when it is time, and takes
 * everything: what finds no room on the disk is lost, but the box goes on.
 */
ssize_t log_write(int file, const char *bytes, size_t count);

/*
 * Host. Print the log at PATH, and with MONITOR, a pidfd, go on until that process has ended; -1 is
 * for none. Errors end the tool.
 */
void log_print(const char *path, int monitor);

#endif
