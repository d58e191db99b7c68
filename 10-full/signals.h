/* Signals by the names that kill(1) and docker know them by. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Host. The number of the signal TEXT: a name in either case, with or without "SIG", such as TERM,
 * sigusr1, RTMIN+3 or RTMAX-1, or a number. 0 if it is none of these. signal(7)
 */
int signal_number(const char *text);

/* Host. The same for what the user has typed: anything else ends the tool. */
int signal_option(const char *text);

/*
 * Host. Is FIRST the first process of a pid namespace, and without a handler for SIGNAL? Then the
 * kernel drops the signal: pid_namespaces(7). An init of ours waits for them without one.
 */
bool signal_is_ignored(pid_t first, int signal);

#endif
