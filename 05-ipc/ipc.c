#include "ipc.h"

#include <errno.h>
#include <sys/mount.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

void ipc_mount_queues(const struct root *root, const char *path)
{
    int there = root_find(root, path);

    if (there == -1 && errno == ENOENT)
        return;
    close(there);
    /* EXERCISE 5.2: the old /dev/mqueue shows the host's queues: mount a new one. mq_overview(7) */
    close(mount_inside(root, path, "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
    /* END */
}
