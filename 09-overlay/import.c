#define _GNU_SOURCE
#include "import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../06-user/idmap.h"
#include "sha256.h"
#include "store.h"
#include "whiteout.h"
#include "workbox.h"

/* The program that decompresses FILE, as its first bytes tell. NULL: it is a plain tar. */
static const char *decompressor(int file)
{
    static const struct {
        const char *program, *start;
    } kinds[] = {{"gzip", "\x1f\x8b"},
                 {"zstd", "\x28\xb5\x2f\xfd"},
                 {"xz", "\xfd\x37zXZ"},
                 {"bzip2", "BZh"}};
    char start[8] = "";

    (void)!pread(file, start, sizeof(start), 0);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strncmp(start, kinds[i].start, strlen(kinds[i].start)) == 0)
            return kinds[i].program;
    return NULL;
}

/*
 * Names are not looked up here, only numbers count. Attributes that overlay itself would read are
 * not for an image to set. Records of 64 KiB: read from a pipe, tar's own 10 are slow.
 */
static struct worker start_tar(bool keep_owners, int *into)
{
    const char *const command[] = {"tar",
                                   "--extract",
                                   "--file=-",
                                   "--record-size=64K",
                                   "--preserve-permissions",
                                   "--numeric-owner",
                                   "--delay-directory-restore",
                                   "--exclude=.wh.*/*",
                                   "--xattrs",
                                   "--xattrs-include=*",
                                   "--xattrs-exclude=trusted.*",
                                   "--xattrs-exclude=user.overlay.*",
                                   "--warning=none",
                                   keep_owners ? "--same-owner" : "--no-same-owner",
                                   NULL};
    int ends[2];

    work_pipe(ends);
    *into = ends[1];
    return worker_start(command, ends[0], STDOUT_FILENO);
}

/*
 * In the box. From the file through PROGRAM, unless it is NULL, and this process to tar. Of several
 * errors the one that explains the others is reported. The file "size" says that the layer is
 * whole, so it comes last.
 */
static noreturn void unpack(const char *program, const char *promised, bool keep_owners,
                            const char *label)
{
    const char *const decompress[] = {program, "-dc", NULL};
    struct worker before;
    char digest[SHA256_HEX + 1];
    int from[2] = {STDIN_FILENO, -1}, into;

    if (promised != NULL && (mkdir("diff", 0755) == -1 || chdir("diff") == -1))
        die("%s", label);
    if (program != NULL) {
        work_pipe(from);
        before = worker_start(decompress, STDIN_FILENO, from[1]);
    }
    struct worker tar = start_tar(keep_owners, &into);
    off_t size = sha256_pump(from[0], into, promised ? digest : NULL);
    close(into);
    if (program != NULL)
        worker_end(&before, label);
    if (size < 0)
        exit(EXIT_TOOL);
    if (promised != NULL && strcmp(digest, promised) != 0)
        fail("%s: the digest of the tar is %.12s..., and %.12s... was promised", label, digest,
             promised);
    worker_end(&tar, label);
    if (promised == NULL)
        _exit(EXIT_SUCCESS);
    whiteouts_make();
    int file = open("/layer/size", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file == -1 || dprintf(file, "%jd\n", (intmax_t)size) < 0)
        die("write size");
    _exit(EXIT_SUCCESS);
}

/* May files made in a box belong to others than the user who runs the tool? */
static bool may_keep_owners(void)
{
    unsigned inside, outside, count;
    char line[64];

    first_line("/proc/self/uid_map", line, sizeof(line));
    return geteuid() == 0 && sscanf(line, "%u %u %u", &inside, &outside, &count) == 3 &&
           count >= 65536;
}

/* A layer if a digest is PROMISED. */
static void unpack_in_box(int file, const char *directory, const char *promised, const char *label)
{
    const char *program = decompressor(file);
    bool keep_owners = promised != NULL && may_keep_owners();
    struct child box = work_start(directory, file, -1);

    if (box.pid == 0)
        unpack(program, promised, keep_owners, label);
    work_end(&box);
}

void import_tar(int file, const char *directory, const char *label)
{
    if (mkdir(directory, 0700) == -1)
        die("make %s", directory);
    unpack_in_box(file, directory, NULL, label);
}

void import_layer(struct import *import, int file, const char *digest, const char *label)
{
    int lock = store_lock(), hold = store_hold("layers", digest);

    store_unlock(lock);
    if (hold >= 0) {
        import->holds[import->count++] = hold;
        return;
    }
    char *directory = store_temporary(digest);
    if (mkdir(directory, 0700) == 0)
        unpack_in_box(file, directory, digest, label);
    else if (errno != EEXIST) /* else the image has the layer twice */
        die("make %s", directory);
    free(directory);
}

void import_keep(const char *digest)
{
    char *made = store_temporary(digest), *place = store_path("layers", digest, "");

    /* If somebody else has brought the same layer meanwhile, that one serves us as well. */
    if (rename(made, place) == -1 && errno != ENOENT && errno != EEXIST && errno != ENOTEMPTY)
        die("store: make %s", place);
    free(made);
    free(place);
}

void import_end(struct import *import)
{
    while (import->count > 0)
        close(import->holds[--import->count]);
}
