#define _GNU_SOURCE
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "diff.h"
#include "overlay.h"
#include "sha256.h"
#include "store.h"
#include "workbox.h"

enum { MAX_AT_ONCE = 8 }; /* layers being unpacked, with up to four processes each */

/* The command that decompresses FILE, going by its bytes at START. NULL: it is a plain tar. */
static const char *decompressor(int file, off_t start)
{
    static const struct {
        const char *command, *magic;
    } kinds[] = {{"gzip -dc", "\x1f\x8b"},
                 {"zstd -dc", "\x28\xb5\x2f\xfd"},
                 {"xz -dc", "\xfd\x37zXZ"},
                 {"bzip2 -dc", "BZh"}};
    char magic[8] = "";

    (void)!pread(file, magic, sizeof(magic), start);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strncmp(magic, kinds[i].magic, strlen(kinds[i].magic)) == 0)
            return kinds[i].command;
    return NULL;
}

int import_plain(int file, const char *label)
{
    const char *command = decompressor(file, 0);

    if (command == NULL)
        return file;
    int plain = store_file();
    work_run(command, store_temporary(""), file, plain, label);
    return plain;
}

/*
 * In the box. SIZE bytes of standard input from START on, through a pipe, so that nobody reads on
 * behind them. The place in the file is not moved: other boxes read it at the same time.
 */
static int start_reading(off_t start, off_t size)
{
    int ends[2];

    work_pipe(ends);
    pid_t pid = fork();
    if (pid == -1)
        die("fork");
    if (pid == 0) {
        for (ssize_t sent = 1; size > 0 && sent > 0; size -= sent)
            sent = sendfile(ends[1], STDIN_FILENO, &start, (size_t)size);
        _exit(EXIT_SUCCESS);
    }
    close(ends[1]);
    return ends[0];
}

/*
 * In the box. The layer in standard input through DECOMPRESS, unless it is NULL, and this process
 * to tar. Of several errors the one that explains the others is reported. The file "size" says that
 * the layer is whole, so it comes last.
 *
 * For tar, names of users are not looked up, only numbers count, and those that can't exist here
 * are left out. Attributes that overlay itself would read are not for an image to set. Records of
 * 64 KiB: read from a pipe, tar's own 10 are slow.
 */
static noreturn void unpack(const char *decompress, const struct layer *layer, const char *label)
{
    struct worker before;
    char command[512], digest[SHA256_HEX + 1];
    int from = start_reading(layer->start, layer->size), through[2], to[2];

    if (mkdir("diff", 0755) == -1 || chdir("diff") == -1)
        die("%s", label);
    if (decompress != NULL) {
        work_pipe(through);
        before = worker_start(decompress, from, through[1]);
        from = through[0];
    }
    bool keep_owners = chown(".", 65534, 65534) == 0 && chown(".", 0, 0) == 0;
    snprintf(command, sizeof(command),
             "tar --extract --file=- --record-size=64K --preserve-permissions --numeric-owner "
             "--delay-directory-restore --exclude=.wh.*/* --xattrs --xattrs-include=* "
             "--xattrs-exclude=user.overlay.* --warning=none %s",
             keep_owners ? "--same-owner" : "--no-same-owner");
    work_pipe(to);
    struct worker tar = worker_start(command, to[0], STDOUT_FILENO);
    off_t size = sha256_pump(from, to[1], digest);
    close(to[1]);
    if (decompress != NULL)
        worker_end(&before, label);
    if (size < 0)
        exit(EXIT_TOOL);
    if (strcmp(digest, layer->digest) != 0)
        fail("%s: the digest of the tar is %.12s..., and %.12s... was promised", label, digest,
             layer->digest);
    worker_end(&tar, label);
    whiteouts_make();
    int file = open("/layer/size", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file == -1 || dprintf(file, "%jd\n", (intmax_t)size) < 0)
        die("write size");
    _exit(EXIT_SUCCESS);
}

/* Begin to unpack the layer, unless the image has it twice. Returns what work_wait() waits for. */
static struct child start(const struct layer *layer, const char *label)
{
    const char *directory = store_temporary(layer->digest);

    if (mkdir(directory, 0700) == -1) {
        if (errno != EEXIST)
            die("make %s", directory);
        return (struct child){.pid = 0};
    }
    const char *decompress = decompressor(layer->file, layer->start);
    struct child box = work_start(directory, layer->file, -1);
    if (box.pid == 0)
        unpack(decompress, layer, label);
    return box;
}

/* Holding the store. Move the layer to its place, if it is new. Is it there now? */
static bool keep(const char *digest)
{
    const char *place = store_path("layers", digest, "");

    if (store_is_whole(digest) || rename(store_temporary(digest), place) == 0)
        return true;
    if (errno != ENOENT)
        die("store: make %s", place);
    return false;
}

/* Unless the store is held, somebody else may remove a layer: then it is unpacked after all. */
int import_layers(const struct layer *layers, size_t count)
{
    struct child boxes[OVERLAY_MAX_LAYERS];
    char label[64];

    for (;;) {
        size_t missing = 0;
        int lock = store_lock();
        for (size_t i = 0; i < count; i++)
            missing += !keep(layers[i].digest);
        if (missing == 0)
            return lock;
        store_unlock(lock);
        for (size_t i = 0; i < count; i++) {
            snprintf(label, sizeof(label), "layer %zu of %zu", i + 1, count);
            boxes[i] = (struct child){.pid = 0};
            if (!store_is_whole(layers[i].digest))
                boxes[i] = start(&layers[i], label);
            work_wait(boxes, i + 1, MAX_AT_ONCE - 1);
        }
        work_wait(boxes, count, 0);
    }
}

/* --- the way back ----------------------------------------------------------------------------- */

/* In the box. No time or number of this run goes into the tar: what is packed twice is the same. */
static noreturn void pack(const char *label)
{
    static const char command[] =
        "tar --create --file=- --format=posix --numeric-owner --sparse "
        "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime --xattrs "
        "--xattrs-include=* --xattrs-exclude=user.overlay.* --warning=none --no-recursion --null "
        "--files-from=-";
    int names = whiteouts_write(STDOUT_FILENO);

    if (chdir("/layer") == -1)
        die("%s", label);
    struct worker tar = worker_start(command, names, STDOUT_FILENO);
    worker_end(&tar, label);
    _exit(EXIT_SUCCESS);
}

int layer_pack(const char *directory, const char *name, const char *label,
               char digest[SHA256_HEX + 1])
{
    const char *path = store_temporary(name);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (file == -1)
        die("make %s", path);
    struct child box = work_start(directory, -1, file);
    if (box.pid == 0)
        pack(label);
    work_wait(&box, 1, 0);
    if (lseek(file, 0, SEEK_SET) == -1)
        die("%s", label);
    if (sha256_pump(file, -1, digest) < 0)
        exit(EXIT_TOOL);
    return file;
}
