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

/* What the monitor copies. If one end is -1, it copies nothing. */
struct route {
    int from, to;
};

struct streams {
    int box[STREAMS];             /* standard input, output, error of the box; 0: as the tool's */
    struct route routes[STREAMS]; /* with -t, the terminal is still missing */
};

struct streams_plan {
    bool terminal;     /* the box gets a terminal of its own */
    bool interactive;  /* what is typed at the host's terminal goes to the box */
    int log;           /* the output goes there, and there is no input; -1 if it isn't detached */
    uint32_t first_id; /* the host's id for user 0, if the box has a range of its own */
};

/* Host, if no command is given. A shell without input ends at once, so that is an error (125). */
void streams_check_shell(bool has_input);

/*
 * Host, before there is a box. Open what it takes, close-on-exec, and let the users of the box open
 * pipes by name, as /dev/stdout. Errors end the tool.
 */
void streams_open(struct streams *streams, const struct streams_plan *plan);

/* Host, once there is a box: what is open for it alone is closed. */
void streams_close(const struct streams *streams);

/* Box. Put them in place. The tool's own errors go on to where they went. Errors end the tool. */
void streams_enter(const struct streams *streams);

#endif
