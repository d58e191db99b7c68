/*
 * A terminal of the box's own, for 'run -t' and 'exec -t'.
 *
 * The box opens a pair of pseudo-terminal ends in its own /dev/pts: the slave becomes its standard
 * input, output and error; the master goes to the host over the socket between the two sides. So
 * the box never holds the host's terminal, and can't type into it (TIOCSTI). See pty(7).
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <sys/types.h>

#include "../02-uts/spawn.h"
#include "../04-mnt/mount.h"

/* Box. Open a new terminal in pts of DEV, the box's /dev, for the user OWNER, and send its master
 * to the host over CHILD's socket. With CONSOLE, let it appear as /dev/console too. Returns the
 * slave. An error ends the tool. */
int terminal_open(const struct root *dev, const struct child *child, uid_t owner, bool console);

/* Box, in a new session and before the change of identity. Make SLAVE its controlling terminal, and
 * standard input, output and error. TIOCSCTTY in ioctl_tty(2). An error ends the tool. */
void terminal_become(int slave);

/* Host, after spawn_go(). Receive the master, close-on-exec; -1 if the box ended before it sent
 * one. Another error ends the tool. */
int terminal_receive(const struct child *child);

/* Either side. The size of the host's window is that of the box's terminal too, whose kernel then
 * sends SIGWINCH inside. */
void terminal_follow_size(int master);

#endif
