/*
 * The parts of /proc and /sys that reveal the whole machine, or change it, and that no namespace
 * splits: they are covered or made read-only.
 *
 * Both functions run in the box, before root_pivot(), on the new mounts themselves: to look "/proc"
 * up again could lead elsewhere. What this kernel doesn't have is passed over. Errors end the tool.
 */
#ifndef MASK_H
#define MASK_H

#include "../04-mnt/mount.h"

/* Cover in PROC and SYS what the table in mask.c lists, with DEV's null and empty directories, or
 * make it read-only. To uncover it takes CAP_SYS_ADMIN. */
void mask_paths(const struct root *dev, const struct root *proc, const struct root *sys);

/* Let every group of the box send echo requests: ping works then without CAP_NET_RAW. Before
 * mask_paths(), in a network namespace of the box's own. icmp(7), ping_group_range. */
void mask_allow_ping(const struct root *proc);

#endif
