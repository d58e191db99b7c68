/* Removing what a box leaves on disk. */
#ifndef REMOVAL_H
#define REMOVAL_H

/* Host. Remove the directory PATH and all below it, on this file system. 0, or -1 with errno. */
int remove_tree(const char *path);

#endif
