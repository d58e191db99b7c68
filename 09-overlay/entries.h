/* What is in an open directory, read at once, so that it may be changed meanwhile. */
#ifndef ENTRIES_H
#define ENTRIES_H

#include <dirent.h>

/*
 * Either side. Read DIRECTORY, which stays open, without "." and "..", in the order of the names'
 * bytes. Puts an allocated array of allocated entries into ENTRIES. Returns how many there are, or
 * -1 with errno.
 */
int entries_read(int directory, struct dirent ***entries);

#endif
