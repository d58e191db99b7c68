#include "entries.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct dirent *const *)a)->d_name, (*(struct dirent *const *)b)->d_name);
}

/* What readdir(3) returns lasts only until its next call. */
static int add(struct dirent ***entries, int count, const struct dirent *entry)
{
    struct dirent **larger = realloc(*entries, ((size_t)count + 1) * sizeof(*larger));

    if (larger == NULL)
        return -1;
    *entries = larger;
    larger[count] = malloc(sizeof(*entry));
    if (larger[count] == NULL)
        return -1;
    larger[count]->d_type = entry->d_type;
    memcpy(larger[count]->d_name, entry->d_name, strlen(entry->d_name) + 1);
    return 0;
}

int entries_read(int directory, struct dirent ***entries)
{
    struct dirent *entry;
    int count = 0, error = 0;
    int again = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = again == -1 ? NULL : fdopendir(again);

    *entries = NULL;
    if (stream == NULL)
        return -1;
    while (error == 0 && (errno = 0, entry = readdir(stream)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        error = add(entries, count, entry);
        count += error == 0;
    }
    int saved = errno;
    closedir(stream);
    errno = saved;
    if (error != 0 || saved != 0) {
        entries_free(*entries, count);
        return -1;
    }
    if (count > 0)
        qsort(*entries, (size_t)count, sizeof(**entries), by_name);
    return count;
}

void entries_free(struct dirent **entries, int count)
{
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
}
