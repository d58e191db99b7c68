/* What is in an open directory, read at once, so that it may be changed meanwhile. */
#ifndef ENTRIES_H
#define ENTRIES_H

#include <dirent.h>

/*
 * Either side. Read DIRECTORY, which stays open, without "." and "..", in the order of the names'
 * bytes. As scandirat(3), which not every libc has: returns how many there are, or -1 with errno,
 * and puts an allocated array of allocated entries into ENTRIES.
 */
int entries_read(int directory, struct dirent ***entries);

#endif
