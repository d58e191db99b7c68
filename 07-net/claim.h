/*
 * Claims: what must be undone, written down before it is done.
 *
 * A bridge or a table of rules doesn't end with its last process. So before a tool makes one, it
 * writes a line about it into a file, its claim, which it keeps locked: flock(2). At its end it
 * undoes the lines, last first, and removes the file. After a kill -9 the kernel has released the
 * lock, and the next tool that looks at the claim does the same.
 *
 *   token 0123456789abcdef    64 random bits, which mark what the lines are about
 *   table                     the table of rules: nat.h
 *   element SET KEY           one element of a set or map in it
 *   bridge NAME               a bridge, whose hardware address is made of the token
 *   forwarding LINK           a link of the host that forwards because of us
 *   localnet BRIDGE           a bridge that does, and routes 127.0.0.0/8: while there are rules
 *   symlink TARGET PATH       a symbolic link
 *   group PATH                a cgroup with all its processes
 *   frozen PATH               a cgroup whose processes are stopped
 *   tree PATH                 a directory with all that is in it
 *   status NUMBER             how a box has ended, for those that wait for it
 *
 * The table, its elements and a bridge bear the token, and undoing compares it: what has a
 * predictable name may be somebody else's. What several boxes use (the bridge, the table) has a
 * claim that each of them locks *shared*; the last one undoes it. Its file is executable while all
 * that its maker describes exists: nobody joins what is half made, or half removed.
 *
 * All but claim_close() run on the host. What returns an int returns 0 or, after report(), -errno.
 */
#ifndef CLAIM_H
#define CLAIM_H

#include <limits.h>
#include <stdbool.h>
#include <sys/file.h>

#define GROUP_PARENT "ten-steps" /* unless told otherwise, our cgroups lie in one of this name */

enum { CLAIM_TOKEN = 17 /* bytes of a token as text */ };

struct claim {
    int file;            /* open and locked; -1 if there is no claim */
    bool shared, unmade; /* unmade: ours to make; until claim_made() nobody joins */
    char token[CLAIM_TOKEN];
    const char *home; /* the directory in which it lies: a string that stays */
    char name[NAME_MAX + 1];
};

/* Where the claims lie on what doesn't outlive a boot. What lies on a disk has them there. */
const char *claim_home(void);

/* Is HOME there, and ours alone? If not, anybody may have made what lies in it: errno is set. */
bool claim_trusts(const char *home);

/* Lock the claim NAME (or one called by its token: NULL) below HOME; what a dead owner has left is
 * undone first. With LOCK_EX, as in flock(2), for oneself alone: -EBUSY without report() if another
 * owner lives. With LOCK_SH it is on what others use, too: .unmade if nobody does. Then make it,
 * and call claim_made(), which does nothing for those that have joined. Before each step, write a
 * line, and go on only if that succeeds. */
int claim_take(struct claim *claim, const char *home, const char *name, int how);
int claim_made(struct claim *claim);
int claim_note(struct claim *claim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Undo all lines and remove the claim (a shared one only if nobody else has it). Forget the lines:
 * what was made is to stay. Only close it, in a process that has inherited it. */
int claim_end(struct claim *claim);
int claim_release(struct claim *claim);
void claim_close(struct claim *claim);

/* Does the owner of the claim NAME live? If not, undo it. The same for eight below HOME, or ALL. */
bool claim_lives(const char *home, const char *name);
void claim_sweep(const char *home, bool all);

/* Write VALUE to the file NAME in DIRECTORY, as echo does. Returns -errno without report(). */
int file_write(const char *directory, const char *name, const char *value);

#endif
