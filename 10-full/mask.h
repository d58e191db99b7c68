/*
 * The parts of /proc and /sys that tell of the machine as a whole, or change it, and that no
 * namespace divides: they are covered or made read-only.
 *
 * All functions run in the box, after /proc and /sys have been mounted in ROOT and before
 * root_pivot(). Paths that this kernel does not have are passed over. Errors end the tool.
 */
#ifndef MASK_H
#define MASK_H

#include "../04-mnt/mount.h"

/*
 * Cover each file of the list in mask.c with /dev/null, each directory with an empty read-only
 * tmpfs, and make read-only what must still be seen, such as /proc/sys. A path in the box can't be
 * uncovered again, as umount2(2) needs CAP_SYS_ADMIN.
 */
void mask_paths(const struct root *root);

/*
 * Mount the box's part of the cgroup v2 tree read-only on /sys/fs/cgroup: the box sees its limits,
 * and can't change them. Needs a cgroup namespace, and /sys in ROOT. cgroups(7)
 */
void mask_mount_cgroup(const struct root *root);

/*
 * Let every group of the box send echo requests: ping works then without CAP_NET_RAW. Before
 * mask_paths(), and only in a network namespace of the box's own. icmp(7), ping_group_range.
 */
void mask_allow_ping(const struct root *root);

#endif
