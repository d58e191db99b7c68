/* A lock that others who start or end may hold for a moment, and a stranger for ever. */
#ifndef LOCK_H
#define LOCK_H

/*
 * Host. Lock FILE, flock(2), and wait MILLISECONDS for it at most. Returns 0, or -1 with errno:
 * EWOULDBLOCK if the time is up. Says nothing.
 */
int lock_wait(int file, int milliseconds);

#endif
