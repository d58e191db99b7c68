/*
 * The user that a command runs as, looked up in the box's own /etc/passwd and /etc/group.
 *
 * libc's getpwnam(3) would read the host's files, and a static program may load the image's own
 * libraries for it. fgetpwent(3) only reads lines, which come from the image and aren't trusted.
 */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "../04-mnt/mount.h"

enum { MAX_GROUPS = 64 };

struct account {
    uid_t user;
    gid_t group;
    gid_t groups[MAX_GROUPS]; /* the supplementary ones */
    int group_count;
    char home[PATH_MAX]; /* "/" if the user has no entry there */
};

/*
 * Box. Look up TEXT in ROOT: USER or USER:GROUP, each a name or a number; NULL or "" is root.
 * Without GROUP, the account has the user's own group and those that list the user as a member;
 * with it, that group alone. MORE is a list of further groups. A number needs no entry in the
 * files. An error ends the tool.
 */
void account_find(const struct root *root, const char *text, char *const *more,
                  struct account *account);

/*
 * Box. Become ACCOUNT, groups first. With KEEP_GROUPS the supplementary groups stay as they are: in
 * the box of an ordinary user, setgroups(2) is denied. An error ends the tool.
 */
void account_become(const struct account *account, bool keep_groups);

#endif
