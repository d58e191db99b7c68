/* Limits as the user writes them, converted to what a group's files accept. A function without a
 * result adds one. All run on the host. An invalid text ends the tool: nothing has been created
 * yet. Values that are written unchanged are checked by the kernel. */
#ifndef LIMIT_H
#define LIMIT_H

/* One line to be written: VALUE to FILE. */
struct cgroup_setting {
    const char *file, *value; /* last until the end */
};

enum { MAX_SETTINGS = 32 };

struct cgroup_limits {
    int count;
    struct cgroup_setting settings[MAX_SETTINGS];
};

/* VALUE, as the user wrote it, for FILE. */
void limit_file(struct cgroup_limits *limits, const char *file, const char *value);

/* The same with "FILE=VALUE", for any file that is not the tool's own to write. */
void limit_any(struct cgroup_limits *limits, const char *text);

/* "0.2" processors, for cpu.max. */
void limit_cpus(struct cgroup_limits *limits, const char *text);

/* A size for FILE, at least MIN bytes. */
void limit_size(struct cgroup_limits *limits, const char *file, const char *text, long long min);

/* A size such as 64M, 1.5g or 512kb as a number of bytes, at least MIN; K, M, G, T and P are powers
 * of 1024. WHAT names it in the error. */
long long limit_bytes(const char *text, const char *what, long long min);

/* The value that FILE will have, the last one if there are more, or NULL. */
const char *limit_find(const struct cgroup_limits *limits, const char *file);

/* The smallest memory limit: below it, not even the fork of the command succeeds. */
enum { LIMIT_MIN_MEMORY = 1 << 20 };

#endif
