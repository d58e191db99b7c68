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

struct options {
    struct id_map users, groups;
    bool setgroups;
    bool mapped; /* by option, not by default */
    char **command;
};

static bool parse_setgroups(const char *text)
{
    if (strcmp(text, "allow") != 0 && strcmp(text, "deny") != 0)
        fail("invalid setgroups '%s': expected allow or deny", text);
    return strcmp(text, "allow") == 0;
}

static struct options parse_options(int argc, char **argv)
{
    static const struct option long_options[] = {{"uid-map", required_argument, NULL, 'u'},
                                                 {"gid-map", required_argument, NULL, 'g'},
                                                 {"setgroups", required_argument, NULL, 's'},
                                                 TOOL_OPTIONS};
    struct options options = {.setgroups = false};
    int option;

    tool_start(argv, "user", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS "u:g:s:", long_options, NULL)) != -1) {
        if (option == 'u')
            idmap_add(&options.users, optarg);
        else if (option == 'g')
            idmap_add(&options.groups, optarg);
        else if (option == 's')
            options.setgroups = parse_setgroups(optarg);
        else
            tool_option(option);
    }
    options.mapped = options.users.count > 0 || options.groups.count > 0;
    if (options.users.count == 0)
        options.users = idmap_single(0, geteuid());
    if (options.groups.count == 0)
        options.groups = idmap_single(0, getegid());
    options.command = tool_command(argc, argv);
    return options;
}

int main(int argc, char **argv)
{
    struct options options = parse_options(argc, argv);
    uint64_t namespaces = 0;

    if (options.mapped && !options.setgroups && geteuid() == 0)
        idmap_leave_groups(); /* the box can't */
    /* EXERCISE 6.1: create the child in its own user namespace. clone(2) */
    namespaces = CLONE_NEWUSER;
    /* END */
    struct child child = spawn(namespaces);
    if (child.pid == 0) { /* in the box */
        spawn_wait_go(&child);
        idmap_become_root(&options.users, &options.groups, options.setgroups);
        view_in_place_of_command(); /* with --view */
        spawn_exec(&child, options.command);
    }
    idmap_write(child.pid, &options.users, &options.groups, options.setgroups); /* on the host */
    spawn_go(&child);
    return spawn_wait(&child);
}
