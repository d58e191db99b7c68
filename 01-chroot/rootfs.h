/*
 * Writing into a root filesystem without ever leaving it.
 *
 * Whoever was root inside may have planted links that lead out: rootfs/etc -> /etc would send a
 * careless writer to the host's own /etc. So every path here is resolved by the kernel as if the
 * directory were "/" already, openat2(2) with RESOLVE_IN_ROOT, and never through a mount. A file
 * is made under another name and renamed into its place, so that a box that runs it keeps it.
 */
#ifndef ROOTFS_H
#define ROOTFS_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * Host. Make DIRECTORY, or open it if it is empty or was made by mkrootfs before; what is said
 * below goes there. An error, or a directory with something else in it, ends the tool.
 */
void rootfs_open(const char *directory);

/* Host. Make the directory PATH ("/var/tmp") and those above it; one that is there stays. */
void rootfs_directory(const char *path, mode_t mode);

/* Host. Make the file PATH with TEXT in it, mode 0644; one that is there stays as it is. */
void rootfs_text(const char *path, const char *text);

/*
 * Host. Copy what PATH leads to on this machine, a file or a directory's bare self, to the same
 * place inside, with every symbolic link on the way. REAL becomes its path behind all links. False
 * if it was copied before in this run. The copy belongs to the caller and has no setuid bit.
 */
bool rootfs_place(const char *path, char real[PATH_MAX]);

#endif
