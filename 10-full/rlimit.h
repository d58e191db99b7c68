/* Resource limits of the box's processes, as --ulimit asks for them: setrlimit(2). */
#ifndef RLIMIT_H
#define RLIMIT_H

#include <stdbool.h>
#include <sys/resource.h>

/* By the kernel's numbers of the resources; begins as {0}. */
struct rlimits {
    bool given[RLIM_NLIMITS];
    struct rlimit limits[RLIM_NLIMITS];
};

/*
 * Host. Add NAME=SOFT[:HARD]; the names are docker's, see limits.conf(5). Mistakes end the tool. A
 * hard limit that the box may not raise itself is raised for this process already, and so for its
 * children; if that is denied here, rlimit_set() reports it.
 */
void rlimit_add(struct rlimits *limits, const char *text);

/* Box. Set the limits for this process and its children. An error ends the tool. */
void rlimit_set(const struct rlimits *limits);

#endif
