#include "ipc.h"

#include <errno.h>
#include <sys/mount.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

void ipc_mount_queues(const struct root *root, const char *path)
{
    int place = root_find(root, path);

    if (place == -1 && errno == ENOENT)
        return;
    if (place == -1)
        die("look for %s", target_shown(root, path));
    close(place);
    /* EXERCISE 5.2: the old /dev/mqueue shows the host's queues: mount a new one. mq_overview(7) */
    mount_inside(root, path, "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    /* END */
}
