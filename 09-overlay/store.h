/*
 * Where images live: /var/lib/ten-steps, $XDG_DATA_HOME/ten-steps for an ordinary user, or
 * $TEN_STEPS_HOME.
 *
 *     layers/DIGEST/diff   a layer's files, with overlay's whiteouts; DIGEST is that of its tar
 *     layers/DIGEST/size   the size of that tar; written last
 *     configs/ID           the configuration of an image, as it came; ID is its digest
 *     images/NAME          a configuration by its name: a hard link; "/" in NAME is "%"
 *     tmp/                 what is being made; renamed into its place when it is whole
 *     claims/              what has to be undone in tmp/ and elsewhere on this disk: claim.h
 *
 * One lock is held while any of this is changed or taken into use, and never for long. Who uses an
 * image holds its configuration by a shared lock (flock(2)), which ends with the process. A layer
 * stays as long as a configuration lists it that has a name or is held.
 */
#ifndef STORE_H
#define STORE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>

#include "sha256.h"

/*
 * Host. The store's directory, made if it isn't there. From here on the umask is 022, so that what
 * is made doesn't depend on who makes it. NULL after saying what is wrong.
 */
const char *store_open(void);

/* Host. The same, but NULL, without report(), if it isn't there yet. */
const char *store_find(void);

/* Host. Where the claims about what is on the store's disk lie (claim.h). NULL as above. */
const char *store_claims(void);

/* Host. Hold the store. Returns a descriptor for store_unlock(). Meanwhile Ctrl-Z is held off. */
int store_lock(void);
void store_unlock(int lock);

/* Host. The path of KIND ("layers", "configs", "images", "tmp") / NAME / REST; to be freed. */
char *store_path(const char *kind, const char *name, const char *rest);

/*
 * Host. What else is to be undone when this process ends: a line of the claim on its temporary
 * files (chapter 7). Returns 0, or -errno after report().
 */
int store_note(const char *verb, const char *path);

/*
 * Host. The path of NAME in this process's own directory in tmp/, to be freed. What is to stay is
 * renamed out of it. What is still there at store_clean(), at the latest when the process ends, is
 * removed: returns 0, or -errno after report(). After a kill -9 the next command does it. A child
 * that is to end by exit(3) calls store_forget().
 */
char *store_temporary(const char *name);
int store_clean(void);
void store_forget(void);

/* Host. A new file on the store's disk, without a name: nothing is left of it, however we end. */
int store_file(void);

/*
 * Host, holding the store. Hold a configuration, by an image's name or its ID (KIND as above),
 * beyond that. Returns a descriptor. Does somebody hold it?
 */
int store_hold(const char *kind, const char *name);
bool store_is_held(const char *kind, const char *name);

/*
 * Host. Is the layer whole? Its file "size" is written last: it is there, and not empty. Nothing is
 * forced onto the disk, as that can take longer than unpacking: if you fear a power failure, run
 * sync(1) after the import.
 */
bool store_is_whole(const char *digest);

/*
 * Host, holding the store. Write LENGTH bytes to KIND/NAME, which is their digest. Half of them
 * have no name, so that they don't count.
 */
void store_write(const char *kind, const char *name, const void *data, size_t length);

/* Host. What is in KIND/NAME, with a zero byte behind it, to be freed. NULL with errno set. */
char *store_read(const char *kind, const char *name, size_t *length);

/* Host, holding the store. Let NAME be a name of the image ID. */
void store_give_name(const char *name, const char *id);

/*
 * Host. What is in KIND/, sorted; entries and list are to be freed. Returns how many there are, or
 * -errno after report().
 */
int store_list(const char *kind, struct dirent ***entries);

/*
 * Host. The garbage collector. Removes what no name needs and nobody holds: configurations, layers,
 * and what was left half done. Returns 0, or -errno after report().
 */
int store_collect(void);

#endif
