/* The names of images, and what of the store they keep alive. */
#ifndef NAMES_H
#define NAMES_H

#include "config.h"

enum { IMAGE_NAME = 208 };

/* An image that somebody has named, or named by its ID: then the name is empty. */
struct image_name {
    char name[IMAGE_NAME];
    char id[SHA256_HEX + 1];
};

/*
 * Either side. NAME as docker shows it goes into NORMAL: without "docker.io/library/", and with
 * ":latest" unless it has a tag. Returns 0, or -EINVAL after refuse().
 */
int name_normal(const char *name, char normal[IMAGE_NAME]);

/*
 * Host. Find an image by its name or the first digits of its ID. One that has lost its name, but is
 * still held by somebody, is found by its whole ID; FOUND has no name then. Returns 0, or -errno
 * after report().
 */
int name_find(const char *text, struct image_name *found);

/* Host. All names, sorted, to be freed. Returns how many there are, or -errno after report(). */
int names_list(struct image_name **names);

/* Host, holding the store. Let NAME, a normal one, be a name of the image ID; or remove NAME.
 * Both return 0, or -errno after report(). */
int name_give(const char *name, const char *id);
int name_remove(const char *name);

/* Host. The configuration of the image ID in the store. Returns 0, or -errno after report(). */
int name_config(const char *id, struct config *config);

/*
 * Host, holding the store. Remove what no name needs and nobody holds: layers, configurations, and
 * what was left half done. Returns 0, or -errno after report().
 */
int names_sweep(void);

#endif
