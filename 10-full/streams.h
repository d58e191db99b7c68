/*
 * The standard streams that a command gets: those of the tool, but never the host's terminal.
 *
 * With that terminal, the box could type into it (TIOCSTI), and would read what is meant for the
 * shell, whose job control only stops processes of its own session. So without -t there is a pipe
 * in its place (for input without -i, /dev/null), and the monitor copies: it is the shell's job
 * like any other. The output of a detached box goes into a pipe, too, and from there to its log.
 *
 * With -t the box opens a pair of pseudo-terminal ends in its own /dev/pts: the slave becomes its
 * standard input, output and error; the master goes to the host over the socket between the two
 * sides. See pty(7).
 */
#ifndef STREAMS_H
#define STREAMS_H

#include "../02-uts/spawn.h"
#include "../04-mnt/mount.h"
#include "spec.h"

/* Host, if no command is given. A shell without input would end at once: an error (125). */
void streams_check_shell(const struct spec *spec);

/*
 * Host, before the box exists. Open what SPEC's box takes, close-on-exec, and let its users open
 * pipes by name, such as /dev/stdout. The output of a detached box, which has no input, goes to
 * LOG; otherwise LOG is -1. An error ends the tool.
 */
void streams_open(struct spec *spec, int log);

/* Either side. Errors go on to where they go now, whatever standard error becomes. Failing to do so
 * ends the tool. */
void streams_keep_errors(void);

/* Box, in a new session and before the change of identity. Put them in place, or TERMINAL if it is
 * not -1, as the controlling one. The tool's errors go on to where they went. Errors end the tool.
 */
void streams_enter(const struct spec *spec, int terminal);

/* Box. Open a new terminal in pts of DEV, the box's /dev, for the user OWNER, and send its master
 * to the host over CHILD's socket. With CONSOLE, it appears as /dev/console too. Returns the slave.
 * An error ends the tool. */
int terminal_open(const struct root *dev, const struct child *child, uid_t owner, bool console);

/* Host, after spawn_go(). Receive the master, close-on-exec; -1 if the box ended before it sent
 * one. Another error ends the tool. */
int terminal_receive(const struct child *child);

/* Host, between the start of the command and spawn_wait(). Pass signals on, and copy until the
 * child has ended and all its output is written. MASTER, unless -1, is the other end of input and
 * output: then the size of the window is passed on, and input, if it is a terminal, is raw until
 * the tool exits. An error ends the tool. */
void streams_relay(int master, const struct child *child);

#endif
