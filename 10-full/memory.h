/*
 * Waiting with as little memory as can be. A box's monitor does nothing nearly all of its life, and
 * there may be hundreds of them: what it has touched on the way it needs not while it waits.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <poll.h>

/*
 * Host. As poll(2) without a time limit, but first give the kernel back the pages of the program's
 * code and constants, and what is free of the heap. They come back from the program's file when
 * they are used again. A static build then holds less than 100 kB while it waits.
 */
int memory_poll(struct pollfd *files, nfds_t count);

#endif
