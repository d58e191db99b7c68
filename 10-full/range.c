#include "range.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "../01-chroot/tool.h"
#include "state.h"

/* systemd's list of who uses which ids leaves 0x70000000 to 0x7fffffff to nobody. */
enum { FIRST_ID = 0x70000000, RANGES = 4096 };

uint32_t range_take(void)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/ids", state_home());
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* stays open, and so locked */
    if (file == -1)
        die("open %s", path);
    for (int i = 0; i < RANGES; i++) {
        struct flock byte = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = i, .l_len = 1};
        if (fcntl(file, F_SETLK, &byte) == 0)
            return (uint32_t)FIRST_ID + (uint32_t)i * RANGE_IDS;
        if (errno != EAGAIN && errno != EACCES)
            die("lock %s", path);
    }
    fail("all %d ranges of ids are in use by boxes", RANGES);
}
