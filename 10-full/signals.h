/* Signals by the names that kill(1) and docker know them by. */
#ifndef SIGNALS_H
#define SIGNALS_H

/*
 * Host. The number of the signal TEXT: a name in either case, with or without "SIG", such as TERM,
 * sigusr1 or RTMIN+3, or a number. 0 if it is none of these. signal(7)
 */
int signal_number(const char *text);

/* Host. The same for what the user has typed: anything else ends the tool. */
int signal_option(const char *text);

#endif
