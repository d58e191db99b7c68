/* Resource limits of the box's processes, as --ulimit asks for them: setrlimit(2). */
#ifndef RLIMIT_H
#define RLIMIT_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

/* In the order of the table in rlimit.c; begins as {0}. */
struct rlimits {
    bool given[RLIM_NLIMITS];
    struct rlimit limits[RLIM_NLIMITS];
};

/* Host. Add NAME=SOFT[:HARD]; the names are docker's, see limits.conf(5). Mistakes end the tool. */
void rlimit_add(struct rlimits *limits, const char *text);

/*
 * Host. Raise the hard limits of the process BOX that it may not raise itself. If we may not
 * either, rlimit_set() reports it.
 */
void rlimit_allow(const struct rlimits *limits, pid_t box);

/* Box. Set the limits for this process and its children. An error ends the tool. */
void rlimit_set(const struct rlimits *limits);

#endif
