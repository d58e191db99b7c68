/* Signals by the names that kill(1) and docker know them by. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Host. The number of the signal TEXT: a name in either case, with or without "SIG", such as TERM,
 * sigusr1 or RTMIN+3, or a number. 0 if it is none of these. signal(7)
 */
int signal_number(const char *text);

/* Host. The same for what the user has typed: anything else ends the tool. */
int signal_option(const char *text);

/*
 * Host, after SIGNAL has been sent to FIRST. Is that the first process of a pid namespace, without
 * a handler for it, and doesn't it block it to fetch it by sigwait(3) or signalfd(2)? Then the
 * kernel has dropped the signal: pid_namespaces(7).
 */
bool signal_was_dropped(pid_t first, int signal);

#endif
