#include "lock.h"

#include <errno.h>
#include <sys/file.h>
#include <time.h>

int lock_wait(int file, int milliseconds)
{
    const struct timespec pause = {.tv_nsec = 5000000};

    for (int waited = 0; flock(file, LOCK_EX | LOCK_NB) == -1; waited += 5) {
        if (errno != EWOULDBLOCK || waited >= milliseconds)
            return -1;
        nanosleep(&pause, NULL);
    }
    return 0;
}
