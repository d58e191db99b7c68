/* Removing what a box has left on a disk. */
#ifndef REMOVE_H
#define REMOVE_H

/*
 * Host. Remove a directory and all that is in it, even what can't be read, however deep. If it
 * isn't there, that is no error. Returns 0 or, after report(), -errno.
 */
int remove_tree(const char *path);

#endif
