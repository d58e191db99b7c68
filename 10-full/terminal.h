/*
 * A terminal of the box's own, for 'run -t' and 'exec -t'.
 *
 * The box opens a pair of pseudo-terminal ends in its own /dev/pts: the slave becomes its standard
 * input, output and error; the master goes to the host over the socket between the two sides. So
 * the box never holds the host's terminal, and can't type into it (TIOCSTI). On the host the tool
 * copies between the master and the terminal that the user sits at. See pty(7).
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <sys/types.h>

#include "../02-uts/spawn.h"
#include "../04-mnt/mount.h"
#include "streams.h"

/*
 * Box. Open a new terminal in pts of DEV, the box's /dev, which has to be a devpts instance of the
 * box's own, and send its master to the host over CHILD's socket. OWNER is who the command will run
 * as. With CONSOLE, let it appear as /dev/console too. Returns the slave. An error ends the tool.
 */
int terminal_open(const struct root *dev, const struct child *child, uid_t owner, bool console);

/*
 * Box. Make SLAVE the controlling terminal of a new session, and standard input, output and error.
 * Before the change of identity. setsid(2), TIOCSCTTY in ioctl_tty(2). An error ends the tool.
 */
void terminal_become(int slave);

/*
 * Host. Receive the master that terminal_open() sends, close-on-exec; -1 if the box ended before it
 * did; another error ends the tool. Comes after spawn() and, if the box waits for one, after
 * spawn_go().
 */
int terminal_receive(const struct child *child);

/*
 * Host, in place of waiting in spawn_wait(), which is to be called next for the exit status. Copy
 * what STREAMS says until the child has ended and all that it wrote has come out; pass signals on.
 * With a MASTER, it is the other end of standard input and output. The window's size is followed
 * then, and if input is a terminal it is raw meanwhile, and afterwards as before, also if the tool
 * crashes or is killed. MASTER is -1 if the box has no terminal of its own. Errors end
 * the tool, with the terminal restored.
 */
void terminal_relay(int master, const struct child *child, const struct streams *streams);

#endif
