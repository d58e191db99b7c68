#define _GNU_SOURCE
#include "import.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "store.h"
#include "tarfile.h"

/* DIRECTORY of a layer, or REST in it, in the temporary directory; to be freed. */
static char *path_of(const struct import *import, const struct layer *layer, const char *rest)
{
    char *path;

    if (asprintf(&path, "%s/%s%s", import->temporary, layer->tar_digest, rest) == -1)
        die("import");
    return path;
}

/* Begin to unpack LAYER. If its directory is there, the image has the same layer twice. */
static int start(struct import *import, struct layer *layer)
{
    if (import->temporary == NULL)
        import->temporary = store_temporary(&import->claim);
    if (import->temporary == NULL)
        return -EIO;
    char *directory = path_of(import, layer, ""), *files = path_of(import, layer, "/diff");
    int error = 0;
    if (mkdir(directory, 0700) == -1)
        error = errno == EEXIST ? -EEXIST : report("make %s", directory);
    else if (mkdir(files, 0755) == -1)
        error = report("make %s", files);
    if (error == 0)
        layer->process = layer_unpack(layer, files);
    free(directory);
    free(files);
    if (error == 0 && layer->process < 0)
        error = layer->process;
    return error == -EEXIST ? 0 : error;
}

static void show_progress(const struct import *import, bool end)
{
    uint64_t read = 0, all = 0;

    if (!isatty(STDERR_FILENO))
        return;
    for (size_t i = 0; i < import->count; i++) {
        const struct layer *layer = &import->layers[i];
        read += layer->streams[0].bytes;
        all += layer->hold >= 0 ? 0 : (uint64_t)layer->size;
    }
    if (end)
        dprintf(STDERR_FILENO, "\r\033[K");
    else
        dprintf(STDERR_FILENO, "\rlayers: %llu of %llu MB", (unsigned long long)read / 1000000,
                (unsigned long long)all / 1000000);
}

/* Returns how many have ended, or -EINVAL if one has failed. */
static int reap(struct import *import)
{
    int ended = 0, status;

    for (size_t i = 0; i < import->count; i++) {
        struct layer *layer = &import->layers[i];
        if (layer->process <= 0 || waitpid(layer->process, &status, WNOHANG) != layer->process)
            continue;
        layer->process = 0;
        layer->is_unpacked = status == 0;
        if (!layer->is_unpacked)
            return -EINVAL;
        ended++;
    }
    return ended;
}

/* Unpack all, a few at a time. Returns 0, -errno, or the number of a signal that came. */
static int unpack_all(struct import *import, const sigset_t *signals)
{
    const struct timespec often = {.tv_nsec = 100000000};
    long at_once = 2 * sysconf(_SC_NPROCESSORS_ONLN), running = 0;
    size_t next = 0;
    int error = 0;

    while (next < import->count || running > 0) {
        while (next < import->count && running < at_once && error == 0) {
            struct layer *layer = &import->layers[next++];
            if (layer->hold < 0)
                error = start(import, layer);
            running += layer->process > 0;
        }
        show_progress(import, false);
        int signal = error == 0 && running > 0 ? sigtimedwait(signals, NULL, &often) : -1;
        if (error != 0 || (signal > 0 && signal != SIGCHLD))
            return error != 0 ? error : signal;
        int ended = reap(import);
        if (ended < 0)
            return ended;
        running -= ended;
    }
    return 0;
}

/* What they have started dies with them, and is then ours to wait for: PR_SET_CHILD_SUBREAPER. */
static void stop(const struct import *import)
{
    for (size_t i = 0; i < import->count; i++)
        if (import->layers[i].process > 0)
            kill(import->layers[i].process, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
}

/* With the signals blocked that would end us; one that comes takes effect when all is undone. */
static int unpack_guarded(struct import *import)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD};
    sigset_t signals, before;

    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
        sigaddset(&signals, ending[i]);
    signal(SIGCHLD, SIG_DFL);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
        return report("prctl PR_SET_CHILD_SUBREAPER");
    sigprocmask(SIG_BLOCK, &signals, &before);
    int result = unpack_all(import, &signals);
    stop(import);
    show_progress(import, true);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    if (result > 0) {
        import_end(import);
        signal(result, SIG_DFL);
        kill(getpid(), result); /* blocked until the mask below is what it was */
        result = -EINTR;
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return result;
}

int import_unpack(struct import *import)
{
    size_t size = (import->count + 1) * 2 * sizeof(struct stream);
    struct stream *streams =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool missing = false;
    int lock = store_lock();
    int error = lock < 0 ? lock : streams == MAP_FAILED ? report("import") : 0;

    for (size_t i = 0; i < import->count && error == 0; i++) {
        struct layer *layer = &import->layers[i];
        layer->streams = &streams[2 * i];
        layer->hold = store_hold("layers", layer->tar_digest);
        error = layer->hold < 0 && layer->hold != -ENOENT ? layer->hold : 0;
        missing = missing || layer->hold < 0;
    }
    store_unlock(lock);
    return error == 0 && missing ? unpack_guarded(import) : error;
}

/* The file "size" says that the layer is whole, so it comes last. */
static int write_size(const struct import *import, const struct layer *layer)
{
    char *path = path_of(import, layer, "/size");
    FILE *file = fopen(path, "we");

    if (file != NULL)
        fprintf(file, "%llu\n", (unsigned long long)layer->streams[1].bytes);
    int error = file == NULL || fclose(file) != 0 ? report("write %s", path) : 0;
    free(path);
    return error;
}

int import_keep(struct import *import)
{
    int error = 0;

    for (size_t i = 0; i < import->count && error == 0; i++) {
        const struct layer *layer = &import->layers[i];
        if (!layer->is_unpacked)
            continue;
        error = write_size(import, layer);
        char *made = path_of(import, layer, ""),
             *place = store_path("layers", layer->tar_digest, "");
        /* If somebody else has brought the same layer meanwhile, that one serves us as well. */
        if (error == 0 && rename(made, place) == -1 && errno != EEXIST && errno != ENOTEMPTY)
            error = report("store: make %s", place);
        free(made);
        free(place);
    }
    return error;
}

void import_end(struct import *import)
{
    if (import->temporary != NULL)
        claim_end(&import->claim);
    free(import->temporary);
    import->temporary = NULL;
    for (size_t i = 0; i < import->count; i++) {
        if (import->layers[i].hold >= 0)
            close(import->layers[i].hold);
        import->layers[i].hold = -ENOENT;
    }
}
