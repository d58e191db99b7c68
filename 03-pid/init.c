#include "init.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

/*
 * A process of the box could use whatever it finds in /proc/1/fd, even a directory of the host. So
 * close all descriptors but the standard three and those to KEEP.
 */
static void close_all_but(const int *keep, int count)
{
    unsigned first = STDERR_FILENO + 1, stop = 0;

    for (; stop != UINT_MAX; first = stop + 1) {
        stop = UINT_MAX;
        for (int i = 0; i < count; i++)
            if ((unsigned)keep[i] >= first && (unsigned)keep[i] < stop)
                stop = (unsigned)keep[i];
        if (stop > first &&
            syscall(SYS_close_range, first, stop == UINT_MAX ? stop : stop - 1, 0) == -1)
            die("close_range");
    }
}

/*
 * The tool already does for its box all that an init has to do: spawn_wait() passes signals on and
 * reaps every child. So init is the same again, one level down and without new namespaces.
 */
void init_stay_behind(struct child *box)
{
    /* EXERCISE 3.4: stay behind as init of a child that returns and becomes the command. spawn.h */
    spawn_tie(box); /* init dies with the tool, as the command would */
    struct child child = spawn(0);

    if (child.pid == 0) {
        spawn_wait_go(&child);
        close(box->sync);
        box->sync = child.sync;
        return;
    }
    close_all_but((int[]){box->sync, child.sync, child.pidfd, tool_errors()}, 4);
    spawn_go(&child);
    int failed = spawn_wait_exec(&child);
    tool_errors_to(STDERR_FILENO);
    /* If the socket closes, the host knows that the command runs; a word on it means failure. */
    close_all_but((int[]){child.pidfd, box->sync}, failed ? 2 : 1);
    (failed ? exit : _exit)(spawn_wait(&child)); /* exit(3) sends that word */
    /* END */
}
