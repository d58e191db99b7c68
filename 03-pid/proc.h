/* The first mounts of the course: private ones, and a /proc that shows the box's processes. */
#ifndef PROC_H
#define PROC_H

/*
 * Either side. Does /proc show this process's pid namespace? In another one, the number of the box
 * would be that of some other process. Returns 0 or, after refuse(), -EINVAL.
 */
int proc_check(void);

/*
 * Box, in a new mount namespace, before any mount. The namespace begins as a copy, but where the
 * host's mounts are shared (systemd makes them so), a new /proc would cover the host's own, too. So
 * make all of them private. mount_namespaces(7). An error ends the tool.
 */
void mounts_make_private(void);

/* For --explain: mount(2)'s FLAGS as C names them, and after " -o " as mount(8) does. */
struct mount_words {
    char names[96], options[2048];
};

/* Either side. PREFIX is "MS_" or, for the newer calls, "MOUNT_ATTR_". OPTIONS may be NULL. */
struct mount_words mount_words(const char *prefix, unsigned long flags, const char *options);

/* Box. For die(): why (errno) did the kernel refuse a file system of TYPE with OPTIONS? */
void mount_hint(const char *type, const char *options);

/*
 * Box. Mount a new file system of TYPE on TARGET, with mount(2)'s MS_* FLAGS and the file system's
 * own OPTIONS (NULL for none). An error ends the tool.
 */
void mount_new(const char *type, const char *target, unsigned long flags, const char *options);

/* Box. Mount a new /proc, which shows the caller's pid namespace. An error ends the tool. */
void proc_mount(void);

#endif
