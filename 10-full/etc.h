/*
 * The box's own /etc. The user that a command runs as is looked up in its passwd and group. In
 * place of its hosts(5) and resolv.conf(5), the box sees files that we make.
 *
 * libc's getpwnam(3) would read the host's files, and a static program may load the image's own
 * libraries for it. fgetpwent(3) only reads lines, which come from the image and aren't trusted.
 */
#ifndef ETC_H
#define ETC_H

#include "spec.h"

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

/*
 * Host. One --add-host: NAME:ADDRESS, or NAME=ADDRESS, as docker accepts. "host-gateway" stands for
 * the address at which the box reaches the host. Returns TEXT; a mistake ends the tool.
 */
const char *hosts_check(const char *text);

/*
 * Box, once its /dev exists and before its volumes. Bind files of the box's own, made in its /dev,
 * DEV, over hosts and resolv.conf in ROOT's /etc. A directory of the host's gets no new files
 * unless an option asks for them: there, files that are missing stay missing. An error ends the
 * tool.
 */
void hosts_bind(const struct root *root, const struct root *dev, const struct spec *spec);

#endif
