/*
 * The parts of /proc and /sys that reveal the whole machine, or change it, and that no namespace
 * divides: they are covered or made read-only.
 *
 * All functions run in the box, before root_pivot(), on the new PROC and SYS themselves: to look
 * "/proc" up again could lead elsewhere. What is missing there is missing in this kernel, and
 * passed over. Errors end the tool.
 */
#ifndef MASK_H
#define MASK_H

#include "../04-mnt/mount.h"

/* Cover each file of the list in mask.c with /dev/null, each directory with an empty tmpfs, and
 * make read-only what must still be seen. To uncover one takes CAP_SYS_ADMIN. */
void mask_paths(const struct root *proc, const struct root *sys);

/* Mount the box's part of the cgroup v2 tree read-only on /sys/fs/cgroup. Needs a cgroup namespace.
 * cgroups(7) */
void mask_mount_cgroup(const struct root *sys);

/* Let every group of the box send echo requests: ping works then without CAP_NET_RAW. Before
 * mask_paths(), in a network namespace of the box's own. icmp(7), ping_group_range. */
void mask_allow_ping(const struct root *proc);

#endif
