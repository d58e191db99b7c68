/*
 * The user that a command runs as, looked up in the box's own /etc/passwd and /etc/group.
 *
 * libc's getpwnam(3) would read the host's files, and in a static program may load the image's own
 * libraries. fgetpwent(3) only reads lines. They are the image's, and so not to be trusted.
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
    char home[PATH_MAX]; /* "/" if the user has no line there */
};

/*
 * Box. The account of TEXT, which is USER or USER:GROUP, each a name or a number, as looked up in
 * ROOT; NULL or "" is root. With no GROUP, the user's own group and those that list the user as a
 * member; with one, that alone. MORE is a list of further groups. A number doesn't
 * have to be in the files. Errors end the tool.
 */
void account_find(const struct root *root, const char *text, char *const *more,
                  struct account *account);

/*
 * Box. Become ACCOUNT, groups first. With KEEP_GROUPS the supplementary groups stay as they are, as
 * they must in the box of an ordinary user, who is denied setgroups(2). Errors end the tool.
 */
void account_become(const struct account *account, bool keep_groups);

#endif
