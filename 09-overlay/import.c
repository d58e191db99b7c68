#include "import.h"

#include <errno.h>
#include <fcntl.h>
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
#include "../07-net/remove.h"
#include "overlay.h"
#include "pump.h"
#include "store.h"
#include "tarfile.h"

/* What a worker process tells the one that waits for it, in shared memory. */
struct told {
    uint64_t read, unpacked;
    char digest[SHA256_HEX + 1];
};

struct worker {
    struct import *import;
    struct told *told;
    pid_t process; /* 0: not started yet, or ended */
};

enum { NOT_SET = 01710 }; /* a mode that directories do not have, until tar sets one */

/* If tar has found nothing about the root directory of the layer, let that be seen. */
static void mark_untold(const char *directory)
{
    const struct timespec times[] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = OVERLAY_ROOT_UNTOLD}};
    struct stat status;

    if (stat(directory, &status) == -1)
        die("%s", directory);
    if ((status.st_mode & 07777) == NOT_SET &&
        (chmod(directory, 0755) == -1 || utimensat(AT_FDCWD, directory, times, 0) == -1))
        die("%s", directory);
}

/* A worker's whole life. Its layer's file is descriptor 3; all others are closed. */
static noreturn void work(const struct worker *worker)
{
    struct layer layer = worker->import->source;
    char *directory, *size_path, size[32];

    layer.file = 3;
    layer.read = &worker->told->read;
    layer.unpacked = &worker->told->unpacked;
    if (asprintf(&directory, "%s/diff", worker->import->temporary) == -1 ||
        asprintf(&size_path, "%s/size", worker->import->temporary) == -1)
        die("asprintf");
    if (mkdir(directory, 0700) == -1 || chmod(directory, NOT_SET) == -1)
        die("make %s", directory);
    layer.directory = directory;
    if (layer_unpack(&layer, worker->told->digest) != 0)
        exit(EXIT_TOOL);
    mark_untold(directory);

    uint64_t bytes = worker->told->unpacked > 0 ? worker->told->unpacked : worker->told->read;
    int length = snprintf(size, sizeof(size), "%llu\n", (unsigned long long)bytes);
    int file = open(size_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file == -1)
        die("make %s", size_path);
    exit(write_all(file, size, (size_t)length) == 0 ? EXIT_SUCCESS : EXIT_TOOL);
}

static int start(struct worker *worker)
{
    struct import *import = worker->import;

    import->temporary = store_temporary(&import->hold);
    if (import->temporary == NULL)
        return -EIO;
    worker->process = process_start((int[]){-1, -1, import->source.file}, 3);
    if (worker->process == 0)
        work(worker);
    return worker->process == -1 ? report("fork") : 0;
}

static void show_progress(const struct worker *workers, size_t count, bool end)
{
    uint64_t read = 0, all = 0;

    if (!isatty(STDERR_FILENO))
        return;
    for (size_t i = 0; i < count; i++) {
        read += workers[i].told->read;
        all += (uint64_t)workers[i].import->source.size;
    }
    if (end)
        dprintf(STDERR_FILENO, "\r\033[K");
    else
        dprintf(STDERR_FILENO, "\rlayers: %llu of %llu MB", (unsigned long long)read / 1000000,
                (unsigned long long)all / 1000000);
}

/* Reap the workers that have ended. The number of those that ended well, or -EINVAL if one did not.
 */
static int reap(struct worker *workers, size_t count)
{
    int ended = 0, status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (size_t i = 0; i < count; i++) {
            if (workers[i].process != pid)
                continue;
            workers[i].process = 0;
            if (status != 0)
                return -EINVAL;
            memcpy(workers[i].import->digest, workers[i].told->digest, SHA256_HEX + 1);
            ended++;
        }
    return ended;
}

/* What a worker has started dies with it, and is then ours to wait for: PR_SET_CHILD_SUBREAPER. */
static void stop(struct worker *workers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (workers[i].process > 0)
            kill(workers[i].process, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
}

/* Run all workers, a few at a time. Returns 0, -errno, or the number of a signal that came. */
static int run_all(struct worker *workers, size_t count, const sigset_t *signals)
{
    const struct timespec often = {.tv_nsec = 100000000};
    size_t started = 0, ended = 0;
    long most = 2 * sysconf(_SC_NPROCESSORS_ONLN);

    while (ended < count) {
        while (started < count && started - ended < (size_t)(most > 2 ? most : 2)) {
            int error = start(&workers[started++]);
            if (error != 0)
                return error;
        }
        show_progress(workers, count, false);
        int signal = sigtimedwait(signals, NULL, &often);
        if (signal > 0 && signal != SIGCHLD)
            return signal;
        int done = reap(workers, count);
        if (done < 0)
            return done;
        ended += (size_t)done;
    }
    return 0;
}

/* With the signals blocked that would end us; one that comes takes effect when all is undone. */
static int run_guarded(struct worker *workers, size_t count, struct import *imports,
                       size_t import_count)
{
    sigset_t signals, before;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGQUIT);
    sigaddset(&signals, SIGCHLD);
    signal(SIGCHLD, SIG_DFL);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
        return report("prctl PR_SET_CHILD_SUBREAPER");
    sigprocmask(SIG_BLOCK, &signals, &before);
    int result = run_all(workers, count, &signals);
    stop(workers, count);
    show_progress(workers, count, true);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    if (result > 0) {
        import_end(imports, import_count);
        signal(result, SIG_DFL);
        kill(getpid(), result); /* blocked until the mask below is what it was */
        result = -EINTR;
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return result;
}

int import_unpack(struct import *imports, size_t count)
{
    struct worker *workers = calloc(count + 1, sizeof(*workers));
    size_t size = (count + 1) * sizeof(struct told), needed = 0;
    struct told *told = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int error = 0;

    if (workers == NULL || told == MAP_FAILED)
        return report("import");
    for (size_t i = 0; i < count; i++) {
        imports[i].temporary = NULL;
        imports[i].hold = -1;
        snprintf(imports[i].digest, sizeof(imports[i].digest), "%s", imports[i].source.tar_digest);
    }
    for (size_t i = 0; i < count && error == 0; i++) {
        const char *digest = imports[i].source.tar_digest;
        bool again = false; /* the same layer twice in one image */
        for (size_t j = 0; j < needed && !again; j++)
            again = digest[0] && strcmp(workers[j].import->source.tar_digest, digest) == 0;
        if (again)
            continue;
        imports[i].hold = digest[0] != '\0' ? store_hold("layers", digest) : -ENOENT;
        if (imports[i].hold == -ENOENT)
            workers[needed] = (struct worker){.import = &imports[i], .told = &told[needed]};
        else if (imports[i].hold < 0)
            error = imports[i].hold;
        needed += imports[i].hold == -ENOENT;
    }
    if (error == 0)
        error = run_guarded(workers, needed, imports, count);
    if (error != 0)
        import_end(imports, count);
    munmap(told, size);
    free(workers);
    return error;
}

int import_keep(struct import *imports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct import *import = &imports[i];
        if (import->temporary == NULL)
            continue;
        char *place = store_path("layers", import->digest, "");
        int renamed = rename(import->temporary, place);
        int error = renamed == -1 && errno != EEXIST && errno != ENOTEMPTY
                        ? report("store: make %s", place)
                        : 0;
        free(place);
        if (error != 0)
            return error;
        if (renamed == 0) {
            free(import->temporary);
            import->temporary = NULL;
            continue;
        }
        /* Somebody else has brought the same layer meanwhile: that one serves us as well. */
        int hold = store_hold("layers", import->digest);
        if (hold < 0)
            return hold;
        remove_tree(import->temporary);
        free(import->temporary);
        import->temporary = NULL;
        close(import->hold);
        import->hold = hold;
    }
    return 0;
}

void import_end(struct import *imports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (imports[i].temporary != NULL)
            remove_tree(imports[i].temporary);
        free(imports[i].temporary);
        imports[i].temporary = NULL;
        if (imports[i].hold >= 0)
            close(imports[i].hold);
        imports[i].hold = -1;
    }
}
