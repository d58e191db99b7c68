/*
 * A terminal of the box's own, for 'run -t' and 'exec -t', and the loop of every monitor.
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
#include "streams.h"

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

/* Host, between the start of the command and spawn_wait(). Pass signals on, and copy what STREAMS
 * says until the child has ended and all that it wrote has come out. MASTER, unless -1, is the
 * other end of input and output: the window's size is followed then, and if input is a terminal, it
 * is raw until the tool exits. Errors end the tool. */
void terminal_relay(int master, const struct child *child, const struct streams *streams);

#endif
