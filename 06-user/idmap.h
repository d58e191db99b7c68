/*
 * Who a user is inside a user namespace, and who outside: uid_map and gid_map, see
 * user_namespaces(7).
 *
 * A new user namespace knows nobody. Until its maps are written, from outside, its processes have
 * the overflow id 65534; so the two sides take turns: the host writes while the box waits.
 */
#ifndef IDMAP_H
#define IDMAP_H

#include <stdbool.h>
#include <sys/types.h>

/* COUNT ids from INSIDE on are, seen from the parent namespace, those from OUTSIDE on. */
struct id_range {
    unsigned inside, outside, count;
};

/* The kernel takes at most 340 ranges; a map of these few is all that the course needs. */
enum { MOST_RANGES = 16 };

struct id_map {
    struct id_range ranges[MOST_RANGES];
    int count;
};

/* Host. Add the range INSIDE:OUTSIDE:COUNT to MAP. A malformed one ends the tool. */
void idmap_add(struct id_map *map, const char *text);

/* Host. The map of one id: INSIDE is OUTSIDE. */
struct id_map idmap_single(unsigned inside, unsigned outside);

/*
 * Host, as root, before the box is made. Leave the supplementary groups, which the box would keep
 * otherwise: if setgroups(2) is denied there, nobody in it can leave one. Where it is denied here
 * already, nothing can be done. An error ends the tool.
 */
void idmap_leave_groups(void);

/*
 * Host. Write the maps of the process PID, which is in a new user namespace, through its /proc
 * files. Unless SETGROUPS, deny it setgroups(2) first, as the kernel demands of an ordinary user.
 * An error ends the tool.
 */
void idmap_write(pid_t pid, const struct id_map *users, const struct id_map *groups,
                 bool setgroups);

/*
 * Box, after idmap_write(). Become user and group 0 of the namespace, if the maps have them, and
 * with SETGROUPS leave the supplementary groups of before. setresuid(2). An error ends the tool.
 */
void idmap_become_root(const struct id_map *users, const struct id_map *groups, bool setgroups);

#endif
