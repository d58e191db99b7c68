/*
 * A box for a program of this machine that handles files from strangers: tar, gzip, zstd.
 *
 * It is made of what the earlier chapters have taught: mount, network, pid and IPC namespaces of
 * its own, a root that holds the machine's programs, read-only, and one directory to work in; the
 * program has the few capabilities that tar needs for owners and devices, and no way to more.
 */
#ifndef WORKBOX_H
#define WORKBOX_H

#include <stdbool.h>
#include <sys/types.h>

struct work {
    const char *const *command;
    const char *label;     /* what errors begin with, such as "layer 2" */
    const char *directory; /* the working directory, all that it can write to; NULL: nothing */
    bool whiteouts;        /* afterwards turn the whiteouts found there into overlay's */
    int input, output;     /* standard input and output; -1: as they are */
    int reading;           /* instead of DIRECTORY: one that is open, only to be read; 0: none */
};

/*
 * Host. Start the program. An ordinary user's box is in a user namespace too. The descriptors stay
 * the caller's, to close. Returns the box's pid, to be waited for by process_wait(): 0 means that
 * all went well; on anything else the box has said what is wrong, in the program's own first words.
 * An error on the host ends the calling process.
 */
pid_t work_start(const struct work *work);

/* Host. May files made in such a box belong to others than the user who runs the tool? */
bool work_keeps_owners(void);

#endif
