/*
 * Layers on their way into the store. They are unpacked side by side in one temporary directory,
 * which a claim of this import is about; only when all are whole are they moved to their places. So
 * an import is all or nothing.
 */
#ifndef IMPORT_H
#define IMPORT_H

#include "../07-net/claim.h"
#include "layer.h"

struct import {
    struct layer *layers; /* the caller's */
    size_t count;
    char *temporary; /* the directory; NULL until there is something to unpack */
    struct claim claim;
};

/*
 * Host. Unpack the layers, except those that are in the store already: those are held. Shows its
 * progress on a terminal. On an error, or a signal, which then ends the tool, nothing is left.
 * Returns 0, or -errno after report(). The caller calls import_end() in each case.
 */
int import_unpack(struct import *import);

/* Host, holding the store. Move the unpacked layers to their places. Returns as above. */
int import_keep(struct import *import);

/* Host. Remove what has not been moved, and let go of all. */
void import_end(struct import *import);

#endif
