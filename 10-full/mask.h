/*
 * The parts of /proc and /sys that reveal or change the whole machine, and that no namespace
 * isolates: they are covered or made read-only.
 *
 * Both functions run in the box, before root_pivot(), on the new mounts themselves: looking "/proc"
 * up again could lead elsewhere. Files that this kernel lacks are skipped. An error ends the tool.
 */
#ifndef MASK_H
#define MASK_H

#include "../04-mnt/mount.h"

/* Cover what the table in mask.c lists in PROC and SYS with the null device or an empty directory
 * of DEV, or make it read-only. Only CAP_SYS_ADMIN can undo that. */
void mask_paths(const struct root *dev, const struct root *proc, const struct root *sys);

/* Let every group of the box send echo requests, so that ping works without CAP_NET_RAW. Before
 * mask_paths(), in a network namespace of the box's own. ping_group_range in icmp(7) */
void mask_allow_ping(const struct root *proc);

#endif
