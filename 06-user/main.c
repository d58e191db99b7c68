/*
 * user: run a command as root, without being root.
 *
 * In a new user namespace the command has every capability, but only for what belongs to that
 * namespace. Outside it is the user who started it. No other layer works without privilege, and
 * this one gives the others theirs: 'user uts ...' works for everybody.
 */
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../01-chroot/view.h"
#include "../02-uts/spawn.h"
#include "idmap.h"

static const char usage[] =
    "Usage: user [OPTION]... [--] [COMMAND [ARG]...]\n"
    "Run COMMAND (/bin/sh if none is given) in its own user namespace, as root there.\n"
    "\n"
    "  -u, --uid-map=INSIDE:OUTSIDE:COUNT\n"
    "                         users inside; repeatable (default: 0 is you)\n"
    "  -g, --gid-map=INSIDE:OUTSIDE:COUNT\n"
    "                         groups inside; repeatable (default: 0 is your group)\n"
    "  -s, --setgroups=WHAT   allow or deny setgroups(2) inside (default: deny)\n"
    "@\n"
    "\n"
    "Example: user id\n"
    "\n"
    "The same in the shell:\n"
    "  unshare --user --map-root-user id\n";

int main(int argc, char **argv)
{
    static const struct option options[] = {{"uid-map", required_argument, NULL, 'u'},
                                            {"gid-map", required_argument, NULL, 'g'},
                                            {"setgroups", required_argument, NULL, 's'},
                                            TOOL_OPTIONS};
    struct id_map users = {.count = 0}, groups = {.count = 0};
    const char *setgroups = "deny";
    uint64_t namespaces = 0;
    int option;

    tool_start(argv, "user", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS "u:g:s:", options, NULL)) != -1) {
        if (option == 'u')
            idmap_add(&users, optarg);
        else if (option == 'g')
            idmap_add(&groups, optarg);
        else if (option == 's')
            setgroups = optarg;
        else
            tool_option(option);
    }
    bool allow = strcmp(setgroups, "allow") == 0;
    if (!allow && strcmp(setgroups, "deny") != 0)
        fail("invalid setgroups '%s': expected allow or deny", setgroups);
    if (users.count + groups.count > 0 && !allow && geteuid() == 0)
        idmap_leave_groups(); /* the box can't */

    /* By default root inside is you, and nobody else exists there. */
    if (users.count == 0)
        users = (struct id_map){{{0, geteuid(), 1}}, 1};
    if (groups.count == 0)
        groups = (struct id_map){{{0, getegid(), 1}}, 1};

    /* EXERCISE 6.1: create the child in its own user namespace. clone(2) */
    namespaces = CLONE_NEWUSER;
    /* END */
    struct child child = spawn(namespaces);
    if (child.pid == 0) { /* in the box */
        spawn_wait_go(&child);
        idmap_become_root(&users, &groups, allow);
        view_in_place_of_command(); /* with --view */
        spawn_exec(&child, tool_command(argc, argv));
    }
    idmap_write(&child, &users, &groups, allow); /* on the host */
    spawn_go(&child);
    return spawn_wait(&child);
}
