#define _GNU_SOURCE
#include "image.h"

#include <ctype.h>
#include <errno.h>
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
#include "source.h"
#include "store.h"
#include "workbox.h"

enum { MAX_NAME = 200 };

/* --- names ------------------------------------------------------------------------------------ */

/* NAME as docker shows it: without "docker.io/library/", and with ":latest" unless it has a tag. */
static int name_normal(const char *name, char normal[IMAGE_NAME])
{
    const char *rest = name;

    rest += strncmp(rest, "docker.io/", 10) == 0 ? 10 : 0;
    rest += strncmp(rest, "library/", 8) == 0 ? 8 : 0;
    bool begins = true, good = strlen(rest) <= MAX_NAME;
    const char *tag = NULL, *each;
    for (each = rest; *each != '\0' && good; each++) {
        good = isalnum((unsigned char)*each) || (!begins && strchr("._-/:@+", *each) != NULL);
        begins = *each == '/';
        tag = begins ? NULL : *each == ':' ? each : tag;
    }
    if (!good || begins)
        return refuse("invalid image name '%.100s': expected letters, digits, and . _ - / :", name);
    snprintf(normal, IMAGE_NAME, "%s%s", rest, tag ? "" : ":latest");
    return 0;
}

/* Holding the store. The ID that begins with TEXT goes into ID, which is "" before, and after if
 * none or several do. */
static void find_id(const char *text, char id[SHA256_HEX + 1])
{
    struct dirent **ids = NULL;
    int matches = 0;

    for (int count = store_list("configs", &ids), i = 0; i < count; free(ids[i++]))
        if (strncmp(ids[i]->d_name, text, strlen(text)) == 0 && sha256_is_hex(ids[i]->d_name, '\0'))
            strcpy(id, matches++ == 0 ? ids[i]->d_name : "");
    free(ids);
}

/*
 * Holding the store. The path of the configuration that TEXT means; its NAME is "" if that is an
 * ID. Names come first, except that a whole ID is never a name, since the maker of another image
 * could have chosen it. NULL after report().
 */
static const char *find(const char *text, char name[IMAGE_NAME])
{
    char id[SHA256_HEX + 1] = "";

    if (name_normal(text, name) != 0)
        return NULL;
    const char *path = store_path("images", name, "");
    if (!sha256_is_hex(text, '\0') && access(path, F_OK) == 0)
        return path;
    find_id(text, id);
    if (id[0] != '\0') {
        name[0] = '\0';
        return store_path("configs", id, "");
    }
    hint("'full images' lists what there is; 'full load FILE' adds to it");
    (void)refuse("no image %s in the store", name);
    return NULL;
}

/* --- loading one ------------------------------------------------------------------------------ */

/*
 * The image's names: NAME or, if that is NULL, those that the tar has for it. In an OCI layout that
 * is often a tag alone: before it, and in place of none, goes the name of the file.
 */
static void choose_names(const struct source *source, char **names, const char *name)
{
    const char *slash = strrchr(source->path, '/');
    const char *file = slash != NULL ? slash + 1 : source->path, *end = strstr(file, ".t");
    int length = end != NULL ? (int)(end - file) : MAX_NAME;
    char text[2 * IMAGE_NAME];

    if (name != NULL)
        names[1] = NULL;
    do {
        const char *own = name != NULL ? name : *names;
        if (own == NULL || (name == NULL && source->is_oci && strpbrk(own, ":/") == NULL))
            snprintf(text, sizeof(text), "%.*s%s%s", length, file, own ? ":" : "", own ? own : "");
        else
            snprintf(text, sizeof(text), "%s", own);
        *names = malloc(IMAGE_NAME);
        if (*names == NULL || name_normal(text, *names) != 0)
            exit(EXIT_TOOL);
    } while (*++names != NULL);
}

/* The image becomes visible once its layers are whole, and never half of it. */
static void load_one(const struct source *source, const struct source_image *image,
                     const char *name, bool show)
{
    const struct config *config = &image->config;

    choose_names(source, image->names, name);
    int lock = import_layers(image->layers, config->layer_count);
    store_write(image->id, config->text, config->length);
    for (char **each = image->names; *each != NULL; each++) {
        store_give_name(*each, image->id);
        if (show)
            printf("%s  %.12s\n", *each, image->id);
    }
    store_unlock(lock);
}

void image_load(const char *file, const char *name, char id[SHA256_HEX + 1], bool show)
{
    struct source source;

    store_collect();
    source_open(&source, file);
    if (name != NULL && source.count > 1)
        fail("%s: %zu images are in it, and there is one name", file, source.count);
    for (size_t i = 0; i < source.count; i++)
        load_one(&source, &source.images[i], name, show);
    memcpy(id, source.images[source.count - 1].id, SHA256_HEX + 1);
    close(source.file);
    store_clean();
}

/* --- using one -------------------------------------------------------------------------------- */

/* The configuration at PATH of the image that errors call NAME, and its digest, the ID. */
static int read_config(const char *path, const char *name, struct config *config,
                       char id[SHA256_HEX + 1])
{
    size_t length = 0;
    char *text = store_read(path, &length);

    *config = (struct config){.text = NULL};
    if (text == NULL)
        return report("the configuration of image %s", name);
    sha256_of(text, length, id);
    return config_read(config, text, length, name);
}

int image_open(const char *text, struct image *image)
{
    int lock = store_lock(), error = -ENOENT;

    *image = (struct image){.name = ""};
    const char *path = find(text, image->name);
    if (path != NULL) {
        store_hold(path);
        error = read_config(path, text, &image->config, image->id);
    }
    store_unlock(lock);
    for (size_t i = 0; i < image->config.layer_count && error == 0; i++)
        if (!store_is_whole(image->config.layers[i]))
            error = refuse("image %s: its layer %.12s is missing in the store", text,
                           image->config.layers[i]);
    return error;
}

/*
 * Topmost first. Of a layer that is there twice the upper one counts. One that is marked opaque at
 * its top hides all below it: overlay asks that of each directory but the top.
 */
void image_stack(const struct image *image, const char *layers, struct stack *stack)
{
    const struct config *config = &image->config;
    bool is_hidden = false;
    char *path;

    for (size_t i = config->layer_count; i > 0 && !is_hidden; i--) {
        bool is_repeated = false;
        if (asprintf(&path, "%s/%s/diff", layers, config->layers[i - 1]) == -1)
            die("image");
        for (size_t j = 0; j < stack->count && !is_repeated; j++)
            is_repeated = strcmp(stack->lowers[j], path) == 0;
        if (is_repeated)
            continue;
        stack_add(stack, path);
        int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        is_hidden = top != -1 && diff_is_opaque(top);
        close(top);
    }
}

char **image_command(const struct image *image, char **command)
{
    char **entrypoint = image->config.entrypoint;
    size_t before = 0, after = 0;

    if (command == NULL || command[0] == NULL)
        command = image->config.command;
    while (entrypoint[before] != NULL)
        before++;
    while (command[after] != NULL)
        after++;
    char **whole = calloc(before + after + 2, sizeof(*whole));
    if (whole == NULL)
        return NULL;
    memcpy(whole, entrypoint, before * sizeof(*whole));
    memcpy(whole + before, command, after * sizeof(*whole));
    if (before + after == 0)
        whole[0] = (char *)"/bin/sh";
    return whole;
}

/* --- all of them ------------------------------------------------------------------------------ */

static int print_image(const char *name)
{
    unsigned long long size = 0;
    char id[SHA256_HEX + 1];
    struct config config;
    size_t length;
    int error = read_config(store_path("images", name, ""), name, &config, id);

    for (size_t i = 0; i < config.layer_count && error == 0; i++) {
        char *text = store_read(store_path("layers", config.layers[i], "size"), &length);
        size += text != NULL ? strtoull(text, NULL, 10) : 0;
        free(text);
    }
    if (config.created != NULL)
        tool_replace_control(config.created, ' ');
    if (error == 0)
        printf("%-24s %.12s  %-20.19s %6zu %10.1f MB\n", name, id,
               config.created ? config.created : "", config.layer_count, (double)size / 1e6);
    return error;
}

int image_list(void)
{
    struct dirent **files = NULL;
    int error = 0, lock = store_lock(), count = store_list("images", &files);

    store_unlock(lock);
    printf("%-24s %-12s  %-20s %6s %13s\n", "NAME", "ID", "CREATED", "LAYERS", "SIZE");
    for (int i = 0; i < count; free(files[i++])) {
        for (char *each = files[i]->d_name; (each = strchr(each, '%')) != NULL;)
            *each = '/';
        if (print_image(files[i]->d_name) != 0)
            error = -EIO; /* the others are listed all the same */
    }
    free(files);
    return fflush(stdout) != 0 ? report("write") : error;
}

/* Holding the store. Each name is a link to the configuration. Remove the one called TEXT. */
static int remove_name(const char *text)
{
    char name[IMAGE_NAME];
    struct stat config, each;
    struct dirent **names = NULL;
    const char *path = find(text, name);

    if (path == NULL || stat(path, &config) == -1)
        return -ENOENT;
    if (name[0] == '\0' && config.st_nlink > 2)
        return refuse("image %s has several names: say which one to remove", text);
    if (config.st_nlink <= 2 && store_is_held(path))
        return refuse("image %s: a box runs on it", text);
    if (name[0] != '\0')
        return unlink(path) == -1 ? report("remove %s", path) : 0;
    for (int count = store_list("images", &names), i = 0; i < count; free(names[i++])) {
        path = store_path("images", names[i]->d_name, "");
        if (stat(path, &each) == 0 && each.st_ino == config.st_ino && unlink(path) == -1)
            (void)report("remove %s", path);
    }
    free(names);
    return 0;
}

int image_remove(const char *name)
{
    int lock = store_lock(), error = remove_name(name);

    store_unlock(lock);
    return error == 0 ? store_collect() : error;
}

/* --- commit ----------------------------------------------------------------------------------- */

/* The upper layer is packed into a tar, which is then imported as any other. */
void image_commit(const char *base, const char *upper, const char *frozen, const char *name,
                  char id[SHA256_HEX + 1])
{
    struct image image;
    char normal[IMAGE_NAME], digest[SHA256_HEX + 1];

    if (name_normal(name, normal) != 0 || image_open(base, &image) != 0)
        exit(EXIT_TOOL);
    if (image.config.layer_count >= OVERLAY_MAX_LAYERS)
        fail("image %s: has %d layers already, as many as overlay stacks", base,
             OVERLAY_MAX_LAYERS);
    int file = layer_pack(upper, "layer.tar", "the new layer", digest);
    struct layer layer = {.digest = digest, .file = file, .size = lseek(file, 0, SEEK_END)};
    if (frozen != NULL)
        (void)group_write(frozen, "cgroup.freeze", "0");    /* if it fails: again when we end */
    image.config.layers[image.config.layer_count] = digest; /* where its NULL was */
    char *text = config_write(&image.config, true);
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
static void make_files(struct image *image)
{
    struct config *config = &image->config;
    FILE *manifest = new_file("manifest.json"), *file = new_file("config.json");
    FILE *names = new_file("names");
    const char *quote = image->name[0] != '\0' ? "\"" : "";
    char name[32], label[32], digest[SHA256_HEX + 1];

    fprintf(manifest, "[{\"Config\":\"config.json\",\"RepoTags\":[%s%s%s],\"Layers\":[", quote,
            image->name, quote);
    for (size_t i = 0; i < config->layer_count; i++) {
        snprintf(name, sizeof(name), "%zu.tar", i + 1);
        snprintf(label, sizeof(label), "layer %.12s", config->layers[i]);
        close(layer_pack(store_path("layers", config->layers[i], "diff"), name, label, digest));
        if ((config->layers[i] = strdup(digest)) == NULL)
            die("save");
        fprintf(manifest, "%s\"%s\"", i > 0 ? "," : "", name);
        fprintf(names, "%s\n", name);
    }
    fprintf(manifest, "]}]\n");
    fprintf(names, "config.json\nmanifest.json\n");
    fputs(config_write(config, false), file);
    if (fclose(manifest) != 0 || fclose(file) != 0 || fclose(names) != 0)
        die("save");
}

/* A file without a name, so that nothing is left of it however we end, beside what is to be PATH.
 */
static int open_beside(const char *path)
{
    char directory[PATH_MAX];
    struct stat status;

    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        fail("save %s: not a file", path);
    snprintf(directory, sizeof(directory), "%s", path);
    int file = open(dirname(directory), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    if (file == -1 && errno == EOPNOTSUPP)
        hint("this file system has no files without a name: 'full save IMAGE > %s'", path);
    if (file == -1)
        die("save %s", path);
    return file;
}

/* It is whole: let it be PATH. Only a file with a name can take another one's place: so it has
 * another name for a moment. */
static void give_path(int file, const char *path)
{
    char temporary[PATH_MAX], descriptor[32];

    snprintf(temporary, sizeof(temporary), "%s.%d", path, getpid());
    snprintf(descriptor, sizeof(descriptor), "/proc/self/fd/%d", file);
    if (linkat(AT_FDCWD, descriptor, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) == -1 ||
        rename(temporary, path) == -1) {
        (void)report("save %s", path);
        unlink(temporary);
        exit(EXIT_TOOL);
    }
}

void image_save(const char *name, const char *path)
{
    struct image image;
    int file = path == NULL ? STDOUT_FILENO : open_beside(path); /* before the store has a umask */

    if (image_open(name, &image) != 0)
        exit(EXIT_TOOL);
    make_files(&image);
    work_run("tar --create --file=- --format=gnu --owner=0 --group=0 --numeric-owner --mode=0644 "
             "--mtime=@0 --files-from=names",
             store_temporary(""), -1, file, "save");
    if (path != NULL)
        give_path(file, path);
}
