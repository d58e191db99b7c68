/* System V IPC and POSIX message queues: what an IPC namespace holds. See ipc_namespaces(7). */
#ifndef IPC_H
#define IPC_H

#include "../04-mnt/mount.h"

/*
 * Box, in new IPC and mount namespaces. Mount the namespace's own POSIX message queues on PATH in
 * ROOT, normally /dev/mqueue, where they appear as files: mq_overview(7). System V objects need no
 * mount. If PATH is missing, nothing is mounted, but the queues are the box's own anyway. An error
 * ends the tool.
 */
void ipc_mount_queues(const struct root *root, const char *path);

#endif
