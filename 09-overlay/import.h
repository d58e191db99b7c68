/*
 * Layers on their way into the store. They are unpacked side by side, each in a directory of its
 * own in tmp/; only when all are whole are they put in their places. So an import is all or
 * nothing.
 */
#ifndef IMPORT_H
#define IMPORT_H

#include "layer.h"

/* A layer that is being imported, or that the store had already. */
struct import {
    struct layer source; /* what layer_unpack() is to do; its directory is chosen by the import */
    char digest[SHA256_HEX + 1]; /* of its tar, for its place in the store */
    char *temporary;             /* its directory in tmp/; NULL: nothing to unpack */
    int hold;                    /* the lock on it; -1: none */
};

/*
 * Host. Bring COUNT layers into tmp/, those that are in the store already excepted: those are held.
 * Tells its progress on a terminal. On an error, or a signal, which then ends the tool, nothing is
 * left. Returns 0, or a negative errno told.
 */
int import_unpack(struct import *imports, size_t count);

/*
 * Host, holding the store. Put the unpacked layers in their places, and keep holding them. Returns
 * 0, or a negative errno told.
 */
int import_keep(struct import *imports, size_t count);

/* Host. Remove what is still in tmp/ and let go of all. */
void import_end(struct import *imports, size_t count);

#endif
