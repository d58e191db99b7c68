/*
 * Layers in a box with a user namespace that root has made. The files belong to the host's users on
 * the disk, and have to belong to the box's in the box: an idmapped mount of them says so, and
 * changes nothing on the disk. mount_setattr(2), "ID-mapped mounts"; mount_namespaces(7).
 *
 * The host makes such a mount without a place, once the box has its maps, and sends it to the box
 * by descriptors_send(); the box puts it in place. The file system has to be one that can do this,
 * as ext4, xfs, btrfs (tmpfs from Linux 6.3 on); an overlay can't.
 */
#ifndef IDMAPPED_H
#define IDMAPPED_H

#include "overlay.h"

/*
 * Host. A mount of DIRECTORY and all below it, without a place, on which owners are as the user
 * namespace open as USER_NAMESPACE maps them. For the layers of an image, the store's "layers"
 * directory is enough. Returns a descriptor, or -errno after report().
 */
int overlay_idmap(const char *directory, int user_namespace);

/*
 * Box. Put TREE, that mount of DIRECTORY, on a new directory SCRATCH/NAME, in a tmpfs of the box's
 * own such as overlay_temporary() makes, and let the paths of STACK that lead through DIRECTORY
 * lead there instead. The new strings are never freed. Returns 0, or -errno after report().
 */
int overlay_replace(struct stack *stack, const char *directory, int tree, const char *scratch,
                    const char *name);

#endif
