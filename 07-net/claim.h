/*
 * Claims: what must be undone, written down before it is done.
 *
 * Up to chapter 6 the kernel undoes everything: a namespace ends with its last process. A bridge or
 * a table of rules does not. So before a tool makes such a thing it writes a line about it into a
 * file, its claim, which it keeps locked: flock(2). At its end it undoes the lines, the last one
 * first, and removes the file. After a kill -9 the kernel has let go of the lock, and the next tool
 * that looks at the claim does exactly the same. So the lock says whether the owner lives, the
 * lines say what to undo, and one function undoes: at the end, after an error, and for a dead
 * owner.
 *
 *   token 0123456789abcdef    these 64 random bits are also in what the lines are about
 *   table                     the table of rules: nat.h
 *   element SET KEY           one element of a set or map in it
 *   bridge NAME               a bridge, whose hardware address is made of the token
 *   setting NAME OLD          a file below /proc/sys/net, and what was in it
 *   symlink TARGET PATH       a symbolic link
 *   group PATH                a cgroup with all its processes
 *   frozen PATH               a cgroup whose processes stand still
 *   tree PATH                 a directory with all that is in it
 *   status NUMBER             how a box has ended, for those that wait for it
 *
 * If the tool is killed before it acts on a line, the line may be about something that belongs to
 * somebody else. So what has a predictable name bears the token, and undoing compares it.
 *
 * What several boxes use (the bridge, the table) has a claim that each of them locks *shared*. The
 * one that can lock it alone is the last, and undoes it. Its file is marked executable while all
 * that it describes is there: nobody joins a bridge that is only half made, or half removed.
 *
 * All functions run on the host. Those that return an int return 0 or, after report(), -errno.
 */
#ifndef CLAIM_H
#define CLAIM_H

#include <limits.h>
#include <stdbool.h>

#define GROUP_PARENT "ten-steps" /* all our cgroups lie in one of this name */

enum { CLAIM_TOKEN = 17 }; /* bytes of a token as text */

struct claim {
    int file; /* open and locked; -1 if there is no claim */
    bool shared;
    char token[CLAIM_TOKEN];
    const char *home; /* the directory in which it lies: a string that stays */
    char name[NAME_MAX + 1];
};

#define CLAIM_NONE ((struct claim){.file = -1})

/* Where claims lie about what does not outlive a boot. What lies on a disk has its claims there. */
const char *claim_home(void);

/* A claim of one's own below HOME, called NAME, or by its token if NAME is NULL. What a dead owner
 * of the name has left is undone first. If the owner lives, -EBUSY without report(). */
int claim_take(struct claim *claim, const char *home, const char *name);

/*
 * Join the claim NAME on what others use, too. Returns 1 if nobody does: then the caller makes it,
 * with claim_note() before each step, and calls claim_made() at the end.
 */
int claim_share(struct claim *claim, const char *home, const char *name);
int claim_made(struct claim *claim);

/* Write a line, in the form shown above. To be acted upon only if this has returned 0. */
int claim_note(struct claim *claim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Undo all lines and remove the claim; a shared one only if nobody else has it. */
int claim_end(struct claim *claim);

/* What was made is to stay: forget the lines. The claim itself stays, locked, until claim_end(). */
int claim_release(struct claim *claim);

/* Let go of it without a word to others: for a process that has inherited it. */
void claim_close(struct claim *claim);

/* Does the owner of the claim NAME live? If not, what it has left is undone. */
bool claim_lives(const char *home, const char *name);

/*
 * For claim.c alone: undo LINE of a claim with this TOKEN; it is cut into words. What isn't there
 * (any more), or is somebody else's, is not an error. PATIENCE is how many milliseconds to wait for
 * the end of a group's processes.
 */
int claim_undo_line(char *line, const char *token, int patience);

/* Look at eight claims below HOME, or at ALL, and undo those whose owner is dead. */
void claim_sweep(const char *home, bool all);

#endif
