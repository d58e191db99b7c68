/* System V IPC and POSIX message queues: what an IPC namespace holds. See ipc_namespaces(7). */
#ifndef IPC_H
#define IPC_H

#include "../04-mnt/mount.h"

/*
 * Box, in new IPC and mount namespaces. Mount the namespace's own POSIX message queues on PATH in
 * ROOT, which is /dev/mqueue, where they are seen as files: mq_overview(7). System V objects need
 * no mount. Where there is no /dev/mqueue nothing is mounted; the queues are the box's own all the
 * same. An error ends the tool.
 */
void ipc_mount_queues(const struct root *root, const char *path);

#endif
