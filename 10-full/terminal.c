#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../09-overlay/descriptor.h"

void terminal_follow_size(int master)
{
    struct winsize size;

    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        ioctl(master, TIOCSWINSZ, &size);
}

int terminal_open(const struct root *dev, const struct child *child, uid_t owner, bool console)
{
    char name[32];
    int locked = 0, master = open_inside(dev->directory, "/pts/ptmx", O_RDWR | O_NOCTTY, 0);

    if (master == -1 || ioctl(master, TIOCSPTLCK, &locked) == -1)
        die("open /dev/pts/ptmx in the box");
    /* By ioctl, not by the name /dev/pts/N, which may lead to another file (CVE-2025-52565). */
    int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave == -1 || fchown(slave, owner, (gid_t)-1) == -1)
        die("open a terminal for user %u", owner);
    if (console) {
        snprintf(name, sizeof(name), "/proc/self/fd/%d", slave);
        mount_bind(dev, name, "/console", 0);
    }
    terminal_follow_size(master); /* here already: the monitor may come later than the command */
    if (descriptors_send(child->sync, &master, 1) != 0)
        exit(EXIT_TOOL);
    close(master);
    return slave;
}

void terminal_become(int slave)
{
    if (ioctl(slave, TIOCSCTTY, 0) == -1)
        die("make the terminal the controlling one");
    for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; standard++)
        if (dup2(slave, standard) == -1)
            die("dup2");
    close(slave);
}

int terminal_receive(const struct child *child)
{
    int master = -1, error = descriptors_receive(child->sync, &master, 1);

    if (error != 0 && error != -EPIPE)
        exit(EXIT_TOOL); /* the box runs, on a terminal that nobody has */
    return master;
}
