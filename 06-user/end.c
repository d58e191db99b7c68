#include "end.h"

#include <errno.h>
#include <sys/wait.h>
#include <time.h>

int child_end(pid_t pid, int milliseconds, siginfo_t *end)
{
    *end = (siginfo_t){.si_pid = 0};
    for (int waited = 0; end->si_pid == 0 && waited < milliseconds; waited += 5) {
        if (waitid(P_PID, (id_t)pid, end, WEXITED | WNOHANG | WNOWAIT) == -1)
            return -errno;
        if (end->si_pid == 0)
            nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return end->si_pid != 0;
}
