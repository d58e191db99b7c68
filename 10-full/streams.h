/*
 * The standard streams that a command gets: those of the tool, but never the host's terminal.
 *
 * With the terminal, the box could type into it (TIOCSTI), and it would read what is meant for the
 * shell, whose job control only stops processes of its own session. So without -t there is a pipe
 * in its place, and the monitor copies: it is the shell's job like any other. What a detached box
 * prints goes into a pipe, too, and from there to its log.
 */
#ifndef STREAMS_H
#define STREAMS_H

#include "../02-uts/spawn.h"
#include "spec.h"

/* Host, if no command is given. A shell without input ends at once, so that is an error (125). */
void streams_check_shell(const struct spec *spec);

/*
 * Host, before there is a box. Open what SPEC's box takes, close-on-exec, and let its users open
 * pipes by name, as /dev/stdout. LOG is where the output of a detached box goes, which has no
 * input; else -1. Errors end the tool.
 */
void streams_open(struct spec *spec, int log);

/* Either side. Errors go on to where they go now, whatever standard error becomes. Failing to do so
 * ends the tool. */
void streams_keep_errors(void);

/* Box. Put them in place. The tool's own errors go on to where they went. Errors end the tool. */
void streams_enter(const struct spec *spec);

/* Host, between the start of the command and spawn_wait(). Pass signals on, and copy until the
 * child has ended and all that it wrote has come out. MASTER, unless -1, is the other end of input
 * and output: the window's size is followed then, and if input is a terminal, it is raw until the
 * tool exits. Errors end the tool. */
void streams_relay(int master, const struct child *child);

#endif
