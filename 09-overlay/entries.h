/* The entries of a directory that is open, as scandirat(3), which not every libc has, reads them.
 */
#ifndef ENTRIES_H
#define ENTRIES_H

#include <dirent.h>

/*
 * Either side. Read the entries of DIRECTORY, but for "." and "..", sorted by the bytes of their
 * names. Returns how many, or -1 with errno set. *ENTRIES is for entries_free().
 */
int entries_read(int directory, struct dirent ***entries);
void entries_free(struct dirent **entries, int count);

#endif
