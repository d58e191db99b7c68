#include "join.h"

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
#include "../01-chroot/view.h"
#include "../02-uts/spawn.h"
#include "../04-mnt/mount.h"
#include "../06-user/idmap.h"
#include "../08-cgroup/group.h"
#include "account.h"
#include "background.h"
#include "box.h"
#include "harden.h"
#include "options.h"
#include "state.h"
#include "streams.h"
#include "terminal.h"

static const char usage[] =
    "Usage: full exec [OPTION]... BOX [COMMAND [ARG]...]\n"
    "Run COMMAND (/bin/sh if none is given) in a box that runs.\n"
    "\n"
    "  -d, --detach           let it run in the background, without input or output\n"
    "  -i, --interactive      what is typed at a terminal is for COMMAND; other input always is\n"
    "                         (default: a terminal is not read)\n"
    "  -t, --tty              a terminal of its own\n"
    "  -e, --env=NAME[=VALUE] set a variable, or hand down one's own; repeatable (default: those "
    "of\n"
    "                         the box's own command)\n"
    "  -w, --workdir=DIR      working directory inside (default: as the box's own command)\n"
    "  -u, --user=USER[:GROUP]\n"
    "                         who the command runs as (default: as the box's own command)\n"
    "@\n"
    "\n"
    "Example: full exec -it web sh\n"
    "\n"
    "The same in the shell:\n"
    "  nsenter --target PID --all sh\n";

enum { LONGEST_WAIT = 10000 }; /* milliseconds */

static void parse_options(struct spec *asked, int argc, char **argv)
{
    static const struct option long_options[] = {{"detach", no_argument, NULL, 'd'},
                                                 {"interactive", no_argument, NULL, 'i'},
                                                 {"tty", no_argument, NULL, 't'},
                                                 {"env", required_argument, NULL, 'e'},
                                                 {"workdir", required_argument, NULL, 'w'},
                                                 {"user", required_argument, NULL, 'u'},
                                                 TOOL_OPTIONS};
    int option;

    tool_start(argv, "full exec", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS "dite:w:u:", long_options, NULL)) != -1)
        if (!option_take(asked, option))
            tool_option(option);
    if (optind == argc)
        fail("the name of a box is missing: full exec BOX [COMMAND]");
    if (asked->detach && (asked->interactive || asked->terminal))
        fail("--detach goes with neither -i nor -t: nobody is there to type");
    asked->name = argv[optind++];
    if (optind == argc)
        streams_check_shell(asked->interactive || asked->terminal || asked->view || asked->detach);
    asked->command = tool_command(argc, argv);
}

/*
 * A namespace that is to be entered later, by NAME; -1 if KIND is not among those to enter. The
 * descriptor is opened now: once in the box's user namespace, a process of the host's such as the
 * box's init may not be looked into any more.
 */
static int open_namespace(const struct spec *box, uint64_t kind, const char *name)
{
    char path[64];

    if (!(box->namespaces & kind))
        return -1;
    snprintf(path, sizeof(path), "/proc/%d/ns/%s", box->pid, name);
    int namespace = open(path, O_RDONLY | O_CLOEXEC);
    if (namespace == -1)
        die("open %s", path);
    return namespace;
}

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
    struct root root = root_current();
    struct id_map just_root = idmap_single(0, 0); /* the maps are written already */

    if (box->user_namespace)
        idmap_become_root(&just_root, &just_root, false);
    harden_new_keyring();
    account_find(&root, box->user, box->groups, &account);
    if (box->terminal) {
        struct root dev = root_at("/dev");
        terminal = terminal_open(&dev, child, account.user, false);
        close(dev.directory);
    }
    close(root.directory);
    box_become(box, &account, terminal, child);
}

/*
 * Enter the namespaces of the box and make a child in them: returns twice, like spawn(). To enter
 * the mount namespace is to enter its root; the pid namespace is only entered by children. The
 * cgroup namespace comes last and in the child, as nobody moves into a group from outside its
 * namespace. The moved clock is not the first process's, which made it, but its children's. Nothing
 * in the box may look into these processes meanwhile.
 */
static struct child enter_and_spawn(const struct spec *box)
{
    int cgroup = -1;

    if (!box->running)
        fail("box %s: is not running", box->name);
    if (box->cgroup[0] != '\0' && group_number(box->cgroup, "cgroup.events", "frozen") == 1) {
        hint("'echo 0 > %.300s/cgroup.freeze' thaws it, unless a group above is frozen",
             box->cgroup);
        fail("box %s: is frozen", box->name);
    }
    int process = state_process(box); /* held against reuse of its pid */
    if (process == -1)
        fail("box %s: has ended", box->name);
    if (box->cgroup[0] != '\0' &&
        (cgroup = open(box->cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
        die("open the cgroup %s", box->cgroup);
    int group = open_namespace(box, CLONE_NEWCGROUP, "cgroup");
    int clock = open_namespace(box, CLONE_NEWTIME, "time_for_children");

    harden_undumpable();
    enter(box, "--all", process, (int)box->namespaces & ~(CLONE_NEWCGROUP | CLONE_NEWTIME));
    if (clock != -1)
        enter(box, "--time", clock, CLONE_NEWTIME);
    struct clone_args arguments = {.flags = cgroup >= 0 ? CLONE_INTO_CGROUP : 0,
                                   .cgroup = cgroup >= 0 ? (uint64_t)cgroup : 0};
    struct child child = spawn_with(arguments);
    if (child.pid == -1)
        exit(EXIT_TOOL);
    if (child.pid == 0 && cgroup != -1)
        close(cgroup);
    if (child.pid == 0 && group != -1)
        enter(box, "--cgroup", group, CLONE_NEWCGROUP);
    return child;
}

/*
 * Wait for what comes from the box over CHILD's socket, be it only the end. The box can stop any
 * process in its pid namespace, and may be frozen meanwhile: so not for ever.
 */
static void await(const struct spec *box, const struct child *child)
{
    struct pollfd ready = {.fd = child->sync, .events = POLLIN};

    if (poll(&ready, 1, LONGEST_WAIT) != 0)
        return;
    syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
    hint("the box may have stopped that process (SIGSTOP), or be frozen");
    fail("box %s: no answer from the process started in it", box->name);
}

/* What is not said is as for the box's own command; what is, counts. */
static void complete(struct spec *box, const struct spec *asked)
{
    for (char **each = asked->environment; each != NULL && *each != NULL; each++)
        list_add(&box->environment, *each);
    if (asked->user != NULL)
        box->user = asked->user;
    if (asked->workdir != NULL)
        box->workdir = asked->workdir;
    box->command = asked->command;
    box->detach = asked->detach;
    box->terminal = asked->terminal;
}

/* Its command runs, or can't: tell who waits, let go of the terminal, and wait for the end. */
static int see_through(const struct child *child, int waiting)
{
    int executed = spawn_wait_exec(child);
    int status = executed == 1 ? EXIT_SUCCESS : spawn_wait(child);

    (void)background_tell(waiting, status);
    background_let_go();
    close(waiting);
    return executed == 1 ? spawn_wait(child) : status;
}

static void take_nothing(struct streams *streams)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (nothing == -1)
        die("open /dev/null");
    for (int i = 0; i < STREAMS; i++)
        streams->box[i] = nothing;
}

/* What comes in shows its program, /proc/PID/exe, to the box, whose users are perhaps the host's.
 */
static void hide_program(const struct spec *box, char **whole)
{
    if (box->first_id == 0)
        harden_run_from_copy(whole);
}

int command_exec(int argc, char **argv, char **whole)
{
    int waiting = -1;
    struct spec box, asked = {.name = NULL};

    parse_options(&asked, argc, argv);
    if (state_await(asked.name, &box) < 0)
        return EXIT_TOOL;
    hide_program(&box, whole);
    complete(&box, &asked);
    umask(022); /* as for the box's own command */
    if (box.detach) {
        waiting = background_begin(NULL);
        take_nothing(&box.streams);
    } else {
        streams_open(&box.streams, box.terminal, asked.interactive, -1, box.first_id);
    }
    struct child child = enter_and_spawn(&box);
    if (child.pid == 0)
        run_inside(&box, &child);
    await(&box, &child);
    if (box.detach)
        return see_through(&child, waiting);
    int master = box.terminal ? terminal_receive(&child) : -1;
    if (master != -1)
        await(&box, &child); /* until the command runs: a person at the terminal could end that */
    if (!box.terminal || master != -1)
        terminal_relay(master, &child, &box.streams);
    return spawn_wait(&child);
}

int join_view(const struct spec *box, char **whole)
{
    static char *nothing[] = {"", NULL};
    struct spec view = *box;

    hide_program(box, whole);
    view_remember_host();
    view.user = view.groups = view.workdir = "";
    view.environment = NULL;
    view.command = nothing; /* the view comes in its place */
    struct child child = enter_and_spawn(&view);
    if (child.pid == 0)
        run_inside(&view, &child);
    await(box, &child); /* until its end */
    return spawn_wait(&child);
}
