/* With --detach: a command goes on in the background, and the one that was typed ends. */
#ifndef BACKGROUND_H
#define BACKGROUND_H

/*
 * Host. Goes on in a new process, in a session of its own, with the descriptor returned. The
 * process before it waits until background_tell() has been called there, prints NAME unless that is
 * NULL, and ends with the status given there; after a failure it first waits for the end of the new
 * one. An error ends the tool.
 */
int background_begin(const char *name);

/* Host, in the new process. Returns 0, or -1 with errno: EPIPE if nobody waits any more. */
int background_tell(int waiting, int status);

/* Host. Let go of the terminal: the standard streams are /dev/null. */
void background_let_go(void);

#endif
