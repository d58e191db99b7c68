#define _GNU_SOURCE
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../02-uts/spawn.h"
#include "../04-mnt/mount.h"
#include "../06-user/idmap.h"
#include "../08-cgroup/group.h"
#include "background.h"
#include "box.h"
#include "harden.h"
#include "state.h"
#include "streams.h"

static const char usage[] =
    "Usage: full exec [OPTION]... BOX [COMMAND [ARG]...]\n"
    "Run COMMAND (/bin/sh if none is given) in a box that runs.\n\n"
    "  -d, --detach           let it run in the background, without input or output\n"
    "  -i, --interactive      let COMMAND read what is typed at a terminal; other\n"
    "                         input it reads anyway (default: no)\n"
    "  -t, --tty              a terminal of its own\n"
    "  -e, --env=NAME[=VALUE] set a variable, or pass your own on; repeatable\n"
    "                         (default: those of the box's own command)\n"
    "  -w, --workdir=DIR      directory to run in (default: as the box's command)\n"
    "  -u, --user=USER[:GROUP]\n"
    "                         the user (default: as the box's command)\n"
    "@\n\n"
    "Example: full exec -it web sh\n\n"
    "The same in the shell:\n"
    "  nsenter --target PID --all sh\n";

enum { MAX_WAIT = 10000 }; /* milliseconds */

/* WHAT and THERE are the option of nsenter(1) for NAMESPACES and the descriptor to get there. */
static void enter(const struct spec *box, const char *what, int there, int namespaces)
{
    explain("nsenter --target %d %s\tsetns(%d, %s)", box->pid, what, there, what + 2);
    if (setns(there, namespaces) == -1)
        die("enter the namespaces of box %s", box->name);
    close(there);
}

static noreturn void run_inside(const struct spec *box, struct child *child)
{
    struct account account;
    int terminal = -1;
    struct root root = root_at("");
    struct id_map just_root = {{{0, 0, 1}}, 1}; /* the maps are written already */

    if (box->user_namespace)
        idmap_become_root(&just_root, &just_root, false);
    harden_new_keyring();
    account_find(&root, box->user, box->groups, &account);
    if (box->tty) {
        struct root dev = root_at("/dev");
        terminal = terminal_open(&dev, child, account.user, false);
    }
    box_become(box, &account, terminal, child);
}

/* An init is the tool still, and only root may look into that (harden.h). Its first child is the
 * command, which is in the same namespaces. */
static void go_by_command(struct spec *box)
{
    char init[64];

    snprintf(init, sizeof(init), "/proc/%d/task/%d", box->pid, box->pid);
    int pid = (int)group_number(init, "children", ""), process = state_open_child(pid, box->pid);
    if (process == -1)
        return; /* to enter by init will say why that can't be */
    box->pid = pid;
    box->process = process;
}

/*
 * Enter the namespaces of the box and make a child in them: returns twice, like spawn(). To enter
 * the mount namespace is to enter its root; the pid namespace is only entered by children. The
 * cgroup namespace comes last and in the child, as nobody moves into a group from outside its
 * namespace. Nothing in the box may look into these processes meanwhile.
 */
static struct child enter_and_spawn(const struct spec *box)
{
    struct child child = {.pid = -1};
    char path[64];
    int cgroup = -1;

    if (!box->running || box->process == -1)
        fail("box %s: is not running", box->name);
    if (box->cgroup[0] != '\0' &&
        (cgroup = open(box->cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
        die("open the cgroup %s", box->cgroup);
    if (cgroup != -1)
        explain("echo $$ > %s/cgroup.procs\t.cgroup = that directory", box->cgroup);
    spawn_block_signals();
    /* Now: from the box's user namespace, a process of the host's, as its init, can't be seen. */
    snprintf(path, sizeof(path), "/proc/%d/ns/cgroup", box->pid);
    int group = open(path, O_RDONLY | O_CLOEXEC);
    if (group == -1 && errno != ENOENT && errno != ESRCH)
        die("open %s", path);
    if (group == -1)
        fail("box %s: is not running any more", box->name);

    /* EXERCISE 10.5: be born in the box's CGROUP and in all its namespaces: see above for which of
       them comes later, and why. Nobody in the box may look in. setns(2), harden.h, spawn.h */
    harden_undumpable();
    enter(box, "--all", box->process, (int)box->namespaces & ~CLONE_NEWCGROUP);
    struct clone_args arguments = {.flags = box->namespaces & CLONE_INTO_CGROUP,
                                   .cgroup = (uint64_t)cgroup};
    child = spawn_with(arguments);
    if (child.pid == 0)
        enter(box, "--cgroup", group, CLONE_NEWCGROUP);
    /* END */
    if (child.pid == -1)
        exit(EXIT_TOOL);
    return child;
}

/*
 * Wait for what comes from the box over CHILD's socket, be it only the end. The box can stop any
 * process in its pid namespace, and may be frozen meanwhile: so not for ever.
 */
static void await(const struct spec *box, const struct child *child)
{
    struct pollfd ready = {.fd = child->sync, .events = POLLIN};

    if (poll(&ready, 1, MAX_WAIT) != 0)
        return;
    syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
    hint("the box may have stopped that process (SIGSTOP), or be frozen");
    fail("box %s: no answer from the process started in it", box->name);
}

int command_exec(int argc, char **argv, char **whole)
{
    struct spec box, asked = {.name = NULL};

    options_read(&asked, argc, argv, usage);
    if (optind == argc)
        fail("the name of a box is missing: full exec BOX [COMMAND]");
    if (asked.detach && (asked.interactive || asked.tty))
        fail("--detach goes with neither -i nor -t: nobody is there to type");
    if (optind + 1 == argc)
        streams_check_shell(&asked);
    if (state_open(argv[optind++], &box) < 0)
        return EXIT_TOOL;
    /* The box sees what comes in, by /proc/PID/exe. If its users are the host's, one may own it. */
    if (box.first_id == 0)
        harden_run_from_copy(whole);
    list_add_all(&box.environment, asked.environment);
    for (char **limit = box.ulimits; limit != NULL && *limit != NULL; limit++)
        options_limit(&box, *limit);
    box.user = asked.user != NULL ? asked.user : box.user;
    box.workdir = asked.workdir != NULL ? asked.workdir : box.workdir;
    box.command = tool_command(argc, argv);
    box.detach = asked.detach;
    box.tty = asked.tty;
    box.interactive = asked.interactive;

    if (box.init && geteuid() != 0)
        go_by_command(&box);
    box.init = false;
    umask(022); /* as for the box's own command */
    int waiting = box.detach ? background_begin(NULL) : -1;
    streams_open(&box, -1);
    struct child child = enter_and_spawn(&box);
    if (child.pid == 0)
        run_inside(&box, &child);
    await(&box, &child);
    if (box.detach && spawn_wait_exec(&child) == 0)
        (void)background_tell(waiting);
    int master = box.tty ? terminal_receive(&child) : -1;
    if (master != -1)
        await(&box, &child); /* until the command runs: a person at the terminal could end that */
    if (!box.detach && (!box.tty || master != -1))
        streams_relay(master, &child);
    return spawn_wait(&child);
}

static const char inspect_usage[] =
    "Usage: full inspect [OPTION]... BOX\n"
    "Print what is known of a box and, if it runs, beside its host what is isolated.\n\n"
    "      --json             only the former, which is JSON (default: both)\n"
    "@\n\n"
    "Example: full inspect web\n\n"
    "The same in the shell:\n"
    "  cat /var/lib/ten-steps/boxes/web/state; ls -l /proc/PID/ns\n";

int command_inspect(int argc, char **argv, char **whole)
{
    static const char *view[] = {"exec", "--view", "--user=0", "--workdir=/", NULL, NULL};
    bool json = options_one(argc, argv, inspect_usage, "json") != NULL;
    struct spec box;

    command_next(argv, &box);
    if (box.running && !json && box.first_id == 0)
        harden_run_from_copy(whole); /* before anything is printed */
    spec_write(&box, stdout);
    printf("\n");
    if (fflush(stdout) != 0)
        die("write");
    view[4] = box.name;
    return box.running && !json ? command_exec(5, (char **)view, whole) : EXIT_SUCCESS;
}
