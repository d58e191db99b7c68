/* What a group has used, and how often a limit held it back: the table of --stat. */
#ifndef USAGE_H
#define USAGE_H

#include <stddef.h>

#include "limit.h"

/* BYTES as people write them, into TEXT: "63.9M". */
void usage_size(long long bytes, char *text, size_t size);

/* Host. Seconds since some fixed moment. */
double usage_clock(void);

/*
 * Host. Print on standard error the accounts of the group whose directory is GROUP, in which a
 * command has run for SECONDS, beside LIMITS: one row a resource, with bars on a terminal.
 */
void usage_print(const char *group, double seconds, const struct cgroup_limits *limits);

#endif
