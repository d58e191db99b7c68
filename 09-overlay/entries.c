#include "entries.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int by_bytes(const void *a, const void *b)
{
    return strcmp((*(struct dirent *const *)a)->d_name, (*(struct dirent *const *)b)->d_name);
}

/* One more entry at the end of the array. -1 if there is no memory for it. */
static int append(struct dirent ***entries, int count, const struct dirent *entry)
{
    size_t size = offsetof(struct dirent, d_name) + strlen(entry->d_name) + 1;
    struct dirent *copy = malloc(size);
    struct dirent **more = copy == NULL || count % 64 != 0
                               ? *entries
                               : realloc(*entries, ((size_t)count + 64) * sizeof(**entries));

    if (copy == NULL || more == NULL) {
        free(copy);
        return -1;
    }
    memcpy(copy, entry, size);
    *entries = more;
    more[count] = copy;
    return 0;
}

int entries_read(int directory, struct dirent ***entries)
{
    int again = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), count = 0, bad = 0;
    DIR *stream = again == -1 ? NULL : fdopendir(again);

    *entries = NULL;
    if (stream == NULL) {
        if (again != -1)
            close(again);
        return -1;
    }
    for (struct dirent *entry; bad == 0 && (errno = 0, entry = readdir(stream)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        bad = append(entries, count, entry);
        count += bad == 0;
    }
    int error = errno;
    closedir(stream);
    errno = error;
    if (error != 0) {
        while (count > 0)
            free((*entries)[--count]);
        free(*entries);
        *entries = NULL;
        return -1;
    }
    if (count > 0)
        qsort(*entries, (size_t)count, sizeof(**entries), by_bytes);
    return count;
}
