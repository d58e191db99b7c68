/*
 * Where images live: /var/lib/ten-steps, $XDG_DATA_HOME/ten-steps for an ordinary user, or
 * $TEN_STEPS_HOME.
 *
 *     layers/DIGEST/diff   a layer's files, with overlay's whiteouts; DIGEST is that of its tar
 *     layers/DIGEST/size   the size of that tar; written last
 *     configs/DIGEST       the configuration of an image, as it came
 *     images/NAME          one line, the digest of its configuration; "/" in NAME is "%2F"
 *     tmp/                 what is being made; renamed into its place when it is whole
 *
 * What is in use, by a box that runs on it or by an import that counts on it, is held by a shared
 * lock (flock(2)), which ends with the process; it is never removed meanwhile. All
 * that is made in tmp/ is held so too: what nobody holds there was left by a process that has died.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "sha256.h"

/*
 * Host. The store's directory, made if it isn't there. From here on the umask is 022, so that what
 * is made doesn't depend on who makes it. NULL after saying what is wrong.
 */
const char *store_open(void);

/* Host. Where the claims about what is on the store's disk lie (claim.h). NULL as above. */
const char *store_claims(void);

/*
 * Host. Hold the store against others that add or remove; short of that, nothing needs it. Waits a
 * minute at most. Returns a descriptor for store_unlock(), which passes over a negative one, or a
 * negative errno after saying what is wrong. Meanwhile Ctrl-Z is held off.
 */
int store_lock(void);
void store_unlock(int lock);

/* Host. A new file of the store without a name: nothing is left of it, however we end. Returns a
 * descriptor or -errno after report(). */
int store_nameless(void);

/* Host. The path of KIND ("layers", "configs", "images", "tmp") / NAME / REST; to be freed. */
char *store_path(const char *kind, const char *name, const char *rest);

/*
 * Host. A new empty directory in tmp/, held until LOCK, a descriptor, is closed. Returns its path,
 * to be freed, or NULL after saying what is wrong.
 */
char *store_temporary(int *lock);

/*
 * Host. Hold a layer or a configuration (KIND as above). Returns a descriptor, -ENOENT without a
 * word if it isn't there, or another negative errno told.
 */
int store_hold(const char *kind, const char *digest);

/*
 * Host. Is the layer whole? That its file "size" is there and not empty says so, as it is written
 * last. Nothing is forced onto the disk, though: syncfs(2) waits for all that anybody has written
 * to that file system, which can take longer than unpacking does. If power fails before the kernel
 * has written all of it, within half a minute or so, "size" is most likely empty too, and the layer
 * is unpacked again; but no file system promises to write files in their order. Whom that is not
 * enough runs sync(1) after the import.
 */
bool store_is_whole(const char *digest);

/*
 * Host, holding the store. Take a layer or a configuration that is to be removed, so that nobody
 * can hold it any more. Returns a descriptor, to be closed when it is gone from its place; -EBUSY
 * if somebody holds it, or another negative errno, without a word.
 */
int store_seize(const char *kind, const char *digest);

/*
 * Host, holding the store. Write LENGTH bytes to KIND/NAME, whole or not at all. Returns 0, or
 * -errno after saying what is wrong.
 */
int store_write(const char *kind, const char *name, const void *data, size_t length);

/* Host. What is in KIND/NAME, with a zero byte behind it, to be freed. NULL with errno set. */
char *store_read(const char *kind, const char *name, size_t *length);

/* Host. The names in KIND/, sorted, then a NULL; to be freed by store_free(). NULL if told why. */
char **store_list(const char *kind);
void store_free(char **names);

/* Host. The file name of an image's name, and back; to be freed. */
char *store_encode(const char *name);
char *store_decode(const char *file);

#endif
