/*
 * The images of the store, by name: "NAME:TAG", as docker shows it; or by ID, all of it or the
 * first digits. Without a tag it is ":latest".
 */
#ifndef IMAGE_H
#define IMAGE_H

#include "json.h"
#include "overlay.h"
#include "sha256.h"

/* --- config.c: what layers an image has, and how its command is to be run; the same JSON in
 * docker's and the OCI's images. Its digest is the image's ID. --- */

/*
 * Lists end with NULL. A field that is missing, null or empty is as good as none: see
 * json_is_empty().
 */
struct config {
    char *text;
    size_t length;
    struct json json;
    char **layers; /* digests of the layers' tars, bottom first; there is room for one more */
    size_t layer_count;
    char **environment;
    char **entrypoint;
    char **command;
    char *directory; /* or NULL, as the following ones */
    char *user;
    char *stop_signal;
    char *created;
};

/* Either side. Take in LENGTH bytes of TEXT, which has to stay. LABEL is what errors begin with.
 * Returns 0, or -errno after report(). */
int config_read(struct config *config, char *text, size_t length, const char *label);

/* Either side. The text of a configuration whose layers may have been changed, made NOW or when it
 * was. The other members are as they were, byte for byte. */
char *config_write(const struct config *config, bool now);

/* Either side. "sha256:" and 64 digits: the digits, or NULL for anything else. */
char *digest_digits(char *digest);

/* --- image.c --- */

enum { IMAGE_NAME = 256 };

/* An image that is being used: neither it nor its layers can be removed until the process ends. */
struct image {
    char id[SHA256_HEX + 1], name[IMAGE_NAME]; /* the name is "" if its ID was given */
    struct config config;                      /* Env, Entrypoint, Cmd, WorkingDir, User */
};

/*
 * Host. Load the images in the tar FILE into the store, under NAME or, if that is NULL, under the
 * names that it brings along, or else the file's. ID gets the (last) image's; with SHOW, names and
 * IDs are printed. Each image is loaded whole or not at all. An error ends the tool.
 */
void image_load(const char *file, const char *name, char id[SHA256_HEX + 1], bool show);

/* Host. Use an image. Returns 0, or -errno after report(). */
int image_open(const char *name, struct image *image);

/* Host or box. Add the image's layers, which lie in the directory LAYERS, to STACK, each once, and
 * none that another one hides. */
void image_stack(const struct image *image, const char *layers, struct stack *stack);

/* Host. The command to run: the image's Entrypoint, then COMMAND, or if that is empty the image's
 * Cmd; ends with NULL. An image that names no command gives /bin/sh. */
char **image_command(const struct image *image, char **command);

/*
 * Host. Print all images: name, ID, creation, number of layers, size. Remove a name, and what no
 * other name needs then; an ID that several names have is refused, as is the last name of an image
 * that a box runs on. Both return 0, or -errno after report().
 */
int image_list(void);
int image_remove(const char *name);

/* Host. Write an image to PATH, or standard output if that is NULL, a tar that docker, podman and
 * skopeo load. Layers are packed again, so they have the same files and other digests. An error
 * ends the tool. */
void image_save(const char *name, const char *path);

/*
 * Host. Make an image NAME out of BASE, a name or an ID, and one more layer: what is in the
 * directory UPPER, the upper layer of a stack. The cgroup FROZEN, unless NULL, is thawed once that
 * has been read. ID gets the new image's. An error ends the tool.
 */
void image_commit(const char *base, const char *upper, const char *frozen, const char *name,
                  char id[SHA256_HEX + 1]);

#endif
