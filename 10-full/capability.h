/*
 * Capabilities: root's power in pieces. See capabilities(7). A box's root needs few of them; the
 * table in capability.c has them all, with reasons.
 *
 * The order of a box's privileges, each step needing what the next one takes away:
 *
 *     capability_check()          is there all that was asked for?
 *     capability_bound()          drops from the bounding set; needs CAP_SETPCAP
 *     capability_keep()           so that the change of identity leaves the permitted set alone
 *     account_become()            setgroups, setresgid, setresuid; needs CAP_SETGID, CAP_SETUID
 *     capability_hold()           capset, with nothing inheritable and nothing ambient
 *     harden_no_new_privileges()  no set-user-ID program or file capability counts from here on
 *     seccomp_install()           last, as it may refuse any of the calls above
 */
#ifndef CAPABILITY_H
#define CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What --cap-add and --cap-drop have named so far; begins as {0}. Bit N is capability N. */
struct capability_choice {
    uint64_t add;
    uint64_t drop;
    bool add_all;
    bool drop_all;
};

/* Host. One more --cap-add or --cap-drop: NAME is as in the table, in either case, with or without
 * CAP_ in front, or ALL. An unknown name ends the tool. */
void capability_add(struct capability_choice *choice, const char *name);
void capability_drop(struct capability_choice *choice, const char *name);

/*
 * Host. The set that comes of it, as docker counts: the default less what is dropped, then what is
 * added; "drop ALL" leaves what is added; "add ALL" leaves all but what is dropped. Those that this
 * kernel does not know are left out.
 */
uint64_t capability_chosen(const struct capability_choice *choice);

/* Box. End the tool if one that --cap-add names is not there to be given: some machines' root is
 * not whole. Of the default set and of ALL, what is there is given. */
void capability_check(const struct capability_choice *choice);

/* Box. Drop all but SET from the bounding set: no execve(2) gives them back. Errors end the tool.
 */
void capability_bound(uint64_t set);

/* Box. Let the next setresuid(2) keep the permitted set. PR_SET_KEEPCAPS in prctl(2). */
void capability_keep(void);

/* Box, after the change of identity. Hold SET as root (USER 0), effective and permitted, and none
 * as any other user; nothing is inheritable, nothing ambient. An error ends the tool. capset(2) */
void capability_hold(uint64_t set, uid_t user);

#endif
