/*
 * Which user inside a user namespace is which user outside: uid_map and gid_map. See
 * user_namespaces(7).
 *
 * A new user namespace knows no users. Until its maps are written, its processes have the overflow
 * id 65534. Only from outside more than one's own id can be mapped: the host writes, the box waits.
 */
#ifndef IDMAP_H
#define IDMAP_H

#include <stdbool.h>

#include "../02-uts/spawn.h"

/* Ids INSIDE to INSIDE+COUNT-1 map to OUTSIDE and up in the parent namespace. */
struct id_range {
    unsigned inside, outside, count;
};

/* The kernel accepts up to 340 ranges; the course needs only a few. */
enum { MAX_RANGES = 16 };

struct id_map {
    struct id_range ranges[MAX_RANGES];
    int count;
};

/* Host. Add the range INSIDE:OUTSIDE:COUNT to MAP. A malformed one ends the tool. */
void idmap_add(struct id_map *map, const char *text);

/* Either side. Read PATH, SIZE - 1 bytes at most, into TEXT; "" if it can't be read. The same for
 * its first line, without the newline. */
void file_read(const char *path, char *text, size_t size);
void first_line(const char *path, char *line, size_t size);

/* Either side. Are we in a user namespace other than the initial one? See user_namespaces(7). */
bool in_user_namespace(void);

/* Either side. Leave the supplementary groups, unless setgroups(2) is denied here. Root on the host
 * does so before the box exists, where a box would be denied it. An error ends the tool. */
void idmap_leave_groups(void);

/* Host; box for its own id alone. Write the maps of CHILD (.sync is -1 without a socket) in its new
 * user namespace. Unless SETGROUPS is true, deny it setgroups(2) first, as an ordinary user has to.
 * An error ends the tool. */
void idmap_write(const struct child *child, const struct id_map *users, const struct id_map *groups,
                 bool setgroups);

/*
 * Box, after idmap_write(). Become user and group 0 of the namespace if the maps have them. With
 * SETGROUPS, leave the old supplementary groups. setresuid(2). An error ends the tool.
 */
void idmap_become_root(const struct id_map *users, const struct id_map *groups, bool setgroups);

#endif
