/* Signals and resource limits, by the names that docker and the shell know them by. */
#ifndef NAMES_H
#define NAMES_H

#include <stdbool.h>
#include <sys/resource.h>

/* Host. The number of the signal TEXT: a name in either case, with or without "SIG", such as TERM,
 * sigusr1 or RTMIN+3, or a number. Anything else ends the tool; WHAT names it. signal(7) */
int signal_number(const char *text, const char *what);

/* By the kernel's numbers of the resources; begins as {0}. */
struct rlimits {
    bool given[RLIM_NLIMITS];
    struct rlimit limits[RLIM_NLIMITS];
};

/*
 * Host. Add NAME=SOFT[:HARD], see limits.conf(5). Mistakes end the tool. A hard limit that the box
 * may not raise itself is raised for this process, and so for its children; if that is denied here,
 * rlimit_set() reports it.
 */
void rlimit_add(struct rlimits *limits, const char *text);

/* Box. Set the limits for this process and its children: setrlimit(2). An error ends the tool. */
void rlimit_set(const struct rlimits *limits);

#endif
