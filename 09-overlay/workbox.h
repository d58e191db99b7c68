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
    int input, output;     /* standard input and output; -1: /dev/null */
    int reading;           /* instead of DIRECTORY: one that is open, only to be read; 0: none */
    bool whiteouts; /* INPUT is a layer's tar: the whiteouts in it become overlay's in DIRECTORY;
                       or the other way: those in READING go to OUTPUT, all other names to INPUT */
};

/* A program at work. What it complains about it leaves in memory that both sides share. */
struct worker_box {
    pid_t pid;
    struct complaint *complaint;
};

/*
 * Host. Start the program. An ordinary user's box is in a user namespace too. The descriptors stay
 * the caller's, to close. An error on the host, or while the box is being made, ends the process.
 */
struct worker_box work_start(const struct work *work);

/*
 * Host. Wait for its end. Returns 0 if all went well, otherwise -EINVAL; why, work_tell() says in
 * the program's own first words, unless the box has said it itself.
 */
int work_wait(const struct worker_box *box);

/* Host, after work_wait(). Say what went wrong. Always returns -EINVAL. */
int work_tell(const struct worker_box *box);

/* Host. May files made in such a box belong to others than the user who runs the tool? */
bool work_keeps_owners(void);

#endif
