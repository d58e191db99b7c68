/* The way back: layers become tars again, of which an image is saved or a new one made. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../08-cgroup/group.h"
#include "diff.h"
#include "image.h"
#include "source.h"
#include "store.h"
#include "workbox.h"

typedef char digest_text[SHA256_HEX + 1];

/* --- one layer -------------------------------------------------------------------------------- */

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

/* The tar of the layer in DIRECTORY, as the file NAME in the store's tmp/, which is returned open,
 * and its DIGEST. */
static int pack_layer(const char *directory, const char *name, const char *label,
                      digest_text digest)
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

/* --- commit ----------------------------------------------------------------------------------- */

/* The upper layer is packed into a tar, which is then imported as any other. */
void image_commit(const char *base, const char *upper, const char *frozen, const char *name,
                  char id[SHA256_HEX + 1])
{
    struct image image;
    char normal[IMAGE_NAME];
    digest_text digest;

    if (name_normal(name, normal) != 0 || image_open(base, &image) != 0)
        exit(EXIT_TOOL);
    if (image.config.layer_count >= OVERLAY_MAX_LAYERS)
        fail("image %s: has %d layers already, as many as overlay stacks", base,
             OVERLAY_MAX_LAYERS);
    int file = pack_layer(upper, "layer.tar", "the new layer", digest);
    struct layer layer = {.digest = digest, .file = file, .size = lseek(file, 0, SEEK_END)};
    if (frozen != NULL)
        (void)group_write(frozen, "cgroup.freeze", "0"); /* if it fails: again when we end */
    char *text = config_with_layers(&image.config, image.config.layers, digest);
    sha256_of(text, strlen(text), id);
    int lock = import_layers(&layer, 1);
    store_write(id, text, strlen(text));
    store_give_name(normal, id);
    store_unlock(lock);
}

/* --- save ------------------------------------------------------------------------------------- */

static FILE *new_file(const char *name)
{
    const char *path = store_temporary(name);
    FILE *file = fopen(path, "we");

    if (file == NULL)
        die("make %s", path);
    return file;
}

/* The files of the image in the store's tmp/: the layers, bottom first, what says so, and a list of
 * their names. */
static void make_files(const struct image *image)
{
    const struct config *config = &image->config;
    char **packed = calloc(config->layer_count + 1, sizeof(*packed));
    FILE *manifest = new_file("manifest.json"), *file = new_file("config.json");
    FILE *names = new_file("names");
    const char *quote = image->name[0] != '\0' ? "\"" : "";
    char name[32], label[32];
    digest_text digest;

    fprintf(manifest, "[{\"Config\":\"config.json\",\"RepoTags\":[%s%s%s],\"Layers\":[", quote,
            image->name, quote);
    for (size_t i = 0; i < config->layer_count; i++) {
        snprintf(name, sizeof(name), "%zu.tar", i + 1);
        snprintf(label, sizeof(label), "layer %.12s", config->layers[i]);
        close(pack_layer(store_path("layers", config->layers[i], "diff"), name, label, digest));
        if (packed == NULL || (packed[i] = strdup(digest)) == NULL)
            die("save");
        fprintf(manifest, "%s\"%s\"", i > 0 ? "," : "", name);
        fprintf(names, "%s\n", name);
    }
    fprintf(manifest, "]}]\n");
    fprintf(names, "config.json\nmanifest.json\n");
    fputs(config_with_layers(config, packed, NULL), file);
    if (fclose(manifest) != 0 || fclose(file) != 0 || fclose(names) != 0)
        die("save");
}

static void save_to(int output, const struct image *image)
{
    make_files(image);
    work_run("tar --create --file=- --format=gnu --owner=0 --group=0 --numeric-owner --mode=0644 "
             "--mtime=@0 --files-from=names",
             store_temporary(""), -1, output, "save");
}

/*
 * The file is written without a name, so that nothing is left of it however we end, and appears
 * when it is whole, with what MASK leaves of its mode. Only a file with a name can take another
 * one's place: so it has another name for a moment.
 */
static void save_whole(const struct image *image, const char *path, mode_t mask)
{
    char temporary[PATH_MAX], descriptor[32], directory[PATH_MAX];
    struct stat status;

    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        fail("save %s: not a file", path);
    snprintf(directory, sizeof(directory), "%s", path);
    snprintf(temporary, sizeof(temporary), "%s.%d", path, getpid());
    int file = open(dirname(directory), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file == -1)
        die("save %s", path);
    save_to(file, image);
    snprintf(descriptor, sizeof(descriptor), "/proc/self/fd/%d", file);
    if (fchmod(file, 0666 & ~mask) == -1 ||
        linkat(AT_FDCWD, descriptor, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) == -1 ||
        rename(temporary, path) == -1) {
        (void)report("save %s", path);
        unlink(temporary);
        exit(EXIT_TOOL);
    }
}

void image_save(const char *text, const char *file)
{
    struct image image;
    mode_t mask = umask(022); /* the user's, before the store has one of its own */

    if (image_open(text, &image) != 0)
        exit(EXIT_TOOL);
    if (file == NULL)
        save_to(STDOUT_FILENO, &image);
    else
        save_whole(&image, file, mask);
}
