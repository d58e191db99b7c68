/* The way back: a layer of overlay as the tar that images have. */
#ifndef PACK_H
#define PACK_H

#include <sys/types.h>

#include "sha256.h"

/*
 * Host. Write the tar of the layer in DIRECTORY, open, to OUTPUT, a file, from its current position
 * on. The same files give the same bytes. LABEL is what errors begin with. DIGEST gets the tar's.
 * Returns the size of the tar, or -errno after report().
 */
off_t pack_layer(int directory, int output, const char *label, char digest[SHA256_HEX + 1]);

#endif
