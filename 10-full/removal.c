#include "removal.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_OPEN = 16 }; /* directories that nftw(3) may hold open at once */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind; /* FTW_DNR too: overlay's work directory can't be read, and is empty */
    (void)place;
    return remove(path);
}

int remove_tree(const char *path)
{
    /* Depth first, and links are removed, not followed. */
    int result = nftw(path, remove_one, MOST_OPEN, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    return result == -1 && errno == ENOENT ? 0 : result;
}
