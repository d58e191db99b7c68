/* The names of images, and what of the store they keep alive. */
#ifndef NAMES_H
#define NAMES_H

#include "config.h"

/*
 * Either side. NAME as docker shows it: without "docker.io/library/", and with ":latest" unless it
 * has a tag. To be freed. NULL after saying what is wrong with it.
 */
char *name_normal(const char *name);

/*
 * Host. Find an image by its name or the first digits of its ID. ID gets the whole one. FILE,
 * unless NULL, gets its file name in images/, to be freed. An image that has lost its name, but is
 * still held by somebody, is found by its whole ID; FILE then gets NULL. Returns 0, or a negative
 * errno told.
 */
int name_find(const char *name, char id[SHA256_HEX + 1], char **file);

/* Host, holding the store. Let NAME be a name of the image ID. Returns 0, or a negative errno told.
 */
int name_give(const char *name, const char *id);

/* Host. The configuration of the image ID in the store. Returns 0, or a negative errno told. */
int name_config(const char *id, struct config *config);

/* Host. The ID that a file in images/ names; false if it names none. */
bool name_read(const char *file, char id[SHA256_HEX + 1]);

/*
 * Host, holding the store. Remove what no name needs and nobody holds: layers, configurations, and
 * what was left half done in tmp/. Returns 0, or a negative errno told.
 */
int names_sweep(void);

#endif
