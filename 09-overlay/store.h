/*
 * Where images live: /var/lib/ten-steps, $XDG_DATA_HOME/ten-steps for an ordinary user, or
 * $TEN_STEPS_HOME.
 *
 *     layers/DIGEST/diff   a layer's files, with overlay's whiteouts; DIGEST is that of its tar
 *     layers/DIGEST/size   the size of that tar; written last
 *     configs/ID           the configuration of an image, as it came; ID is its digest
 *     images/NAME          a configuration by its name: a hard link; "/" in NAME is "%"
 *     tmp/                 layers and links being made; renamed when they are whole
 *     claims/              what has to be undone in tmp/ and elsewhere on this disk: claim.h
 *
 * One lock is held while any of this is changed or taken into use, and never for long. A process
 * that uses an image holds its configuration by a shared lock (flock(2)), which ends with the
 * process. A layer stays as long as a configuration lists it that has a name or is held.
 *
 * All functions run on the host. Unless they return something else, an error ends the tool.
 */
#ifndef STORE_H
#define STORE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>

/* The store's directory, made if it isn't there, or NULL without an error. From here on the umask
 * is 022, so that what is made doesn't depend on who makes it. */
const char *store_open(void);
const char *store_find(void);

/* Where the claims about what is on the store's disk lie (claim.h). */
const char *store_claims(void);

/* The path of KIND ("layers", "configs", "images", "tmp") / NAME / REST; good for seven calls. */
const char *store_path(const char *kind, const char *name, const char *rest);

/* Hold the store, and Ctrl-Z off meanwhile. Returns a descriptor for store_unlock(). */
int store_lock(void);
void store_unlock(int lock);

/* What else is to be undone when this process ends: a line of the claim on its temporary files.
 * Returns 0, or -errno after report(). */
int store_note(const char *verb, const char *path);

/*
 * The path of NAME in this process's own directory in tmp/, as store_path(). What is to stay is
 * renamed out of it. What is still there at store_clean(), at the latest when the process ends, is
 * removed; after a kill -9 by the next command that looks. A child that is to end by exit(3) calls
 * store_forget().
 */
const char *store_temporary(const char *name);
void store_clean(void);
void store_forget(void);

/* A new file on the store's disk, without a name: nothing is left of it, however we end. */
int store_file(void);

/* Holding the store. Hold the configuration at PATH until the process ends. Does somebody hold it?
 */
void store_hold(const char *path);
bool store_is_held(const char *path);

/*
 * Is the layer whole? Its file "size" is written last: it is there, and not empty. Nothing is
 * forced onto the disk, as that can take longer than unpacking: if you fear a power failure, run
 * sync(1) after the import.
 */
bool store_is_whole(const char *digest);

/* What is in the file PATH, with a zero byte behind it, to be freed. NULL with errno set. */
char *store_read(const char *path, size_t *length);

/* Holding the store. Write LENGTH bytes, the configuration ID; let NAME be a name of it. */
void store_write(const char *id, const char *text, size_t length);
void store_give_name(const char *name, const char *id);

/* What is in KIND/, sorted; entries and list are to be freed. Returns how many there are. */
int store_list(const char *kind, struct dirent ***entries);

/* The garbage collector. Removes what no name needs and nobody holds: configurations, layers, and
 * what was left half done. Returns 0, or -errno after report(). */
int store_collect(void);

#endif
