#include "ipc.h"

#include <sys/mount.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

void ipc_mount_queues(const struct root *root)
{
    int there = root_look(root, "/dev/mqueue");

    if (there == -1)
        return;
    close(there);
    /* EXERCISE 5.2: the old /dev/mqueue shows the host's queues: mount a new one. mq_overview(7) */
    mount_inside(root, "/dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    /* END */
}
