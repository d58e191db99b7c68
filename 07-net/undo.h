/* Undoing what a claim has a line about: see claim.h. */
#ifndef UNDO_H
#define UNDO_H

#define GROUP_PARENT "ten-steps" /* all our cgroups lie in one of this name */

enum { UNDO_PATIENCE = 10000 }; /* milliseconds to wait for the end of a group's processes */

/*
 * Host. Undo LINE of a claim with this TOKEN; it is cut into words. What isn't there (any more), or
 * is somebody else's, is no error. PATIENCE is in milliseconds. Returns 0 or, after report(),
 * -errno.
 */
int undo_line(char *line, const char *token, int patience);

#endif
