/*
 * Where images live: /var/lib/ten-steps, $XDG_DATA_HOME/ten-steps for an ordinary user, or
 * $TEN_STEPS_HOME.
 *
 *     layers/DIGEST/diff   a layer's files, with overlay's whiteouts; DIGEST is that of its tar
 *     layers/DIGEST/size   the size of that tar; written last
 *     configs/DIGEST       the configuration of an image, as it came
 *     images/NAME          one line, the digest of its configuration; "/" in NAME is "%2F"
 *     tmp/                 what is being made; renamed into its place when it is whole
 *     claims/              what has to be undone in tmp/ and elsewhere on this disk: claim.h
 *
 * A box holds the configuration of its image by a shared lock (flock(2)), which ends with the
 * process. A layer stays as long as a configuration lists it that has a name or is held; so does
 * one that an import counts on, which holds the layer itself.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "../07-net/claim.h"
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

/*
 * Host. Hold the store against others that add or remove; nothing else needs it. Waits as long as
 * they take. Returns a descriptor for store_unlock(), which ignores a negative one, or -errno after
 * report(). Meanwhile Ctrl-Z is held off.
 */
int store_lock(void);
void store_unlock(int lock);

/* Host. A new file of the store without a name: nothing is left of it, however we end. Returns a
 * descriptor or -errno after report(). */
int store_nameless(void);

/* Host. The path of KIND ("layers", "configs", "images", "tmp") / NAME / REST; to be freed. */
char *store_path(const char *kind, const char *name, const char *rest);

/*
 * Host. A new empty directory in tmp/, which CLAIM is about: what is still in it at claim_end(), or
 * after a kill -9 when another command looks, is removed. What is to stay is renamed out of it.
 * Returns its path, to be freed, or NULL after report().
 */
char *store_temporary(struct claim *claim);

/*
 * Host. Hold a layer or a configuration (KIND as above). Returns a descriptor; -ENOENT, without
 * report(), if it isn't there or is being removed; or another -errno after report().
 */
int store_hold(const char *kind, const char *digest);

/*
 * Host, holding the store. Lock a layer or a configuration that is to be removed, so that nobody
 * can hold it any more. Returns a descriptor, to be closed when it has gone from its place; or
 * -errno without report(), -EBUSY if somebody holds it.
 */
int store_seize(const char *kind, const char *digest);

/*
 * Host. Is the layer whole? Its file "size" is written last: it is there, and not empty. Nothing is
 * forced onto the disk, which can take longer than unpacking does. If power fails before the kernel
 * has written all of it, "size" is most likely empty too, and the layer is unpacked again; but no
 * file system promises to write files in their order. If you need more, run sync(1) after the
 * import.
 */
bool store_is_whole(const char *digest);

/*
 * Host, holding the store. Write LENGTH bytes to KIND/NAME, whole or not at all. If just these are
 * there already, the file stays the one that others may hold. Returns 0, or -errno after report().
 */
int store_write(const char *kind, const char *name, const void *data, size_t length);

/* Host. What is in KIND/NAME, with a zero byte behind it, to be freed. NULL with errno set. */
char *store_read(const char *kind, const char *name, size_t *length);

/* Host. The names in KIND/, sorted, then a NULL; to be freed by store_free(). NULL after report().
 */
char **store_list(const char *kind);
void store_free(char **names);

#endif
