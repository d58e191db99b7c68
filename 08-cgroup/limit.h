/* Limits as the user writes them, turned into the values that a group's files take. */
#ifndef LIMIT_H
#define LIMIT_H

#include <stdbool.h>
#include <stddef.h>

/* One line to be written: VALUE to FILE. */
struct cgroup_setting {
    char file[64];
    char value[192];
    bool if_there; /* leave it out if the kernel has no such file */
};

enum { MAX_SETTINGS = 32 };

struct cgroup_limits {
    int count;
    struct cgroup_setting settings[MAX_SETTINGS];
};

/* The options that set limits, for the table of a tool that has all of them. */
enum {
    LIMIT_FIRST = 1024, /* above every tool's own */
    LIMIT_CPUS = LIMIT_FIRST,
    LIMIT_CPU_MAX,
    LIMIT_CPU_WEIGHT,
    LIMIT_CPUSET_CPUS,
    LIMIT_MEMORY,
    LIMIT_MEMORY_SWAP,
    LIMIT_PIDS,
    LIMIT_IO_MAX,
    LIMIT_SET,
};

/*
 * Host. Add to LIMITS what OPTION, one of the above, says with TEXT; the last one for a file holds.
 * False if it is none of them. A TEXT that can't be meant ends the tool: nothing has been made yet.
 * What the kernel takes as it stands, the kernel checks.
 */
bool limit_option(struct cgroup_limits *limits, int option, const char *text);

/*
 * Host. A size such as 64M, 1.5g or 512kb as a number of bytes, at least MIN; K, M, G, T and P are
 * powers of 1024. WHAT names the option in the error that ends the tool.
 */
long long limit_bytes(const char *text, const char *what, long long min);

/* Host. Without a word on swap, a memory limit means none. Call it when all limits are added. */
void limit_complete(struct cgroup_limits *limits);

/* The controllers that the limits need, into NAMES, with a blank behind each. */
void limit_controllers(const struct cgroup_limits *limits, char *names, size_t size);

/* The value that will be written to FILE, or NULL. */
const char *limit_find(const struct cgroup_limits *limits, const char *file);

#endif
