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

#include <stdbool.h>
#include <stdint.h>

enum { STREAMS = 3 };

struct streams {
    int box[STREAMS]; /* standard input, output, error of the box; 0: as the tool's */
    struct route {
        int from, to; /* what the monitor copies; nothing if an end is -1 */
    } routes[STREAMS];
};

/* Host, if no command is given. A shell without input ends at once, so that is an error (125). */
void streams_check_shell(bool has_input);

/*
 * Host, before there is a box. Open what it takes, close-on-exec, and let the users of the box open
 * pipes by name, as /dev/stdout. With TERMINAL, it gets one of its own, and the routes lack that
 * end. INTERACTIVE: what is typed at the host's terminal goes to the box. LOG is where the output
 * of a detached box goes, which has no input; else -1. FIRST_ID is the host's id for its user 0, or
 * 0. Errors end the tool.
 */
void streams_open(struct streams *streams, bool terminal, bool interactive, int log,
                  uint32_t first_id);

/* Box. Put them in place. The tool's own errors go on to where they went. Errors end the tool. */
void streams_enter(const struct streams *streams);

#endif
