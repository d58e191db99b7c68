/* Limits as the user writes them, turned into what the files of a group take. */
#ifndef LIMIT_H
#define LIMIT_H

#include <stdbool.h>

/* One line to be written: VALUE to FILE. */
struct cgroup_setting {
    char file[64];
    char value[192];
    bool if_there; /* leave it out if the kernel has no such file */
};

enum { MOST_SETTINGS = 32 };

struct cgroup_limits {
    struct cgroup_setting settings[MOST_SETTINGS];
    int count;
};

/*
 * Host. Each adds a limit from TEXT; the last one for a file holds. A TEXT that can't be meant ends
 * the tool: nothing has been made yet.
 */
void limit_cpus(struct cgroup_limits *limits, const char *text);        /* processors: "0.2" */
void limit_cpu_max(struct cgroup_limits *limits, const char *text);     /* µs: "QUOTA PERIOD" */
void limit_cpu_weight(struct cgroup_limits *limits, const char *text);  /* 1 to 10000 */
void limit_cpuset_cpus(struct cgroup_limits *limits, const char *text); /* list: "0,2-3" */
void limit_memory(struct cgroup_limits *limits, const char *text);      /* bytes: "64M" */
void limit_memory_swap(struct cgroup_limits *limits, const char *text); /* bytes beyond memory */
void limit_pids(struct cgroup_limits *limits, const char *text);        /* processes and threads */
void limit_io_max(struct cgroup_limits *limits, const char *text); /* "MAJ:MIN rbps=BYTES …" */
void limit_set(struct cgroup_limits *limits, const char *text);    /* "FILE=VALUE" */

/* Host. Without a word on swap, a memory limit means none. Call it when all limits are added. */
void limit_complete(struct cgroup_limits *limits);

/* The controllers that the limits need; bits as in controller.h. */
unsigned limit_controllers(const struct cgroup_limits *limits);

/* The value that will be written to FILE, or NULL. */
const char *limit_find(const struct cgroup_limits *limits, const char *file);

/* Is every processor of the list WANTED in the list THERE? Lists as "0-2,5". See cpuset(7). */
bool cpu_list_within(const char *wanted, const char *there);

#endif
