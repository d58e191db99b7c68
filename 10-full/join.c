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
#include "capability.h"
#include "environment.h"
#include "harden.h"
#include "seccomp.h"
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

struct options {
    const char *box;
    const char *user;
    const char *groups;
    const char *workdir;
    struct environment environment;
    bool detach, interactive, terminal, view;
    struct streams streams;
    char **command;
};

static struct options parse_options(int argc, char **argv)
{
    static const struct option long_options[] = {{"detach", no_argument, NULL, 'd'},
                                                 {"interactive", no_argument, NULL, 'i'},
                                                 {"tty", no_argument, NULL, 't'},
                                                 {"env", required_argument, NULL, 'e'},
                                                 {"workdir", required_argument, NULL, 'w'},
                                                 {"user", required_argument, NULL, 'u'},
                                                 TOOL_OPTIONS};
    struct options options = {.box = NULL};
    int option;

    tool_start(argv, "full exec", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS "dite:w:u:", long_options, NULL)) != -1) {
        if (option == 'd')
            options.detach = true;
        else if (option == 'i')
            options.interactive = true;
        else if (option == 't')
            options.terminal = true;
        else if (option == 'e')
            environment_add(&options.environment, optarg);
        else if (option == 'w')
            options.workdir = optarg;
        else if (option == 'u')
            options.user = optarg;
        else
            tool_option(option);
        options.view |= option == TOOL_VIEW;
    }
    if (optind == argc)
        fail("the name of a box is missing: full exec BOX [COMMAND]");
    if (options.detach && (options.interactive || options.terminal))
        fail("--detach goes with neither -i nor -t: nobody is there to type");
    options.box = argv[optind++];
    if (optind == argc)
        streams_check_shell(options.interactive || options.terminal || options.view ||
                            options.detach);
    options.command = tool_command(argc, argv);
    return options;
}

/* The namespaces that the box has of its own: to enter those that we share is an error. */
static int namespaces_of(const struct state *state)
{
    static const struct {
        const char *name;
        int flag;
    } kinds[] = {{"user", CLONE_NEWUSER},     {"mnt", CLONE_NEWNS},
                 {"uts", CLONE_NEWUTS},       {"pid", CLONE_NEWPID},
                 {"ipc", CLONE_NEWIPC},       {"net", CLONE_NEWNET},
                 {"cgroup", CLONE_NEWCGROUP}, {"time_for_children", CLONE_NEWTIME}};
    int flags = 0;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct stat ours, theirs;
        char path[64], own[64];
        snprintf(path, sizeof(path), "/proc/%d/ns/%s", state->pid, kinds[i].name);
        snprintf(own, sizeof(own), "/proc/self/ns/%s", kinds[i].name);
        if (stat(own, &ours) == -1)
            continue; /* a kernel without this kind */
        if (stat(path, &theirs) == -1)
            fail("box %s: has ended", state->name);
        if (ours.st_ino != theirs.st_ino)
            flags |= kinds[i].flag;
    }
    return flags;
}

/*
 * A namespace that is to be entered later, by NAME; -1 if KIND is not among those to enter. The
 * descriptor is opened now: once in the box's user namespace, a process of the host's such as the
 * box's init may not be looked into any more.
 */
static int open_namespace(const struct state *state, int namespaces, int kind, const char *name)
{
    char path[64];

    if (!(namespaces & kind))
        return -1;
    snprintf(path, sizeof(path), "/proc/%d/ns/%s", state->pid, name);
    int namespace = open(path, O_RDONLY | O_CLOEXEC);
    if (namespace == -1)
        die("open %s", path);
    return namespace;
}

/* WHAT and THERE are the option of nsenter(1) for NAMESPACES and the descriptor to get there. */
static void enter(const struct state *state, const char *what, int there, int namespaces)
{
    explain("nsenter --target %d %s\tsetns(%d, %s)", state->pid, what, there, what + 2);
    if (setns(there, namespaces) == -1)
        die("enter the namespaces of box %s", state->name);
    close(there);
}

static noreturn void run_inside(const struct options *options, const struct state *state,
                                struct child *child)
{
    struct account account;
    int terminal = -1;
    struct root root = root_current();
    struct id_map just_root = idmap_single(0, 0); /* the maps are written already */

    if (state->user_namespace)
        idmap_become_root(&just_root, &just_root, false);
    harden_new_keyring();
    account_find(&root, options->user, options->groups, &account);
    if (options->terminal) {
        struct root dev = root_at("/dev");
        terminal = terminal_open(&dev, child, account.user, false);
        close(dev.directory);
    }
    close(root.directory);
    environment_set(&options->environment, state->hostname, account.home);
    environment_enter(options->workdir);
    if (options->terminal) {
        terminal_become(terminal);
    } else {
        streams_enter(&options->streams);
        harden_new_session();
    }
    capability_bound(state->capabilities);
    capability_keep();
    account_become(&account, state->first_id == 0 && state->user_namespace);
    capability_hold(state->capabilities, account.user);
    harden_undumpable(); /* again: a change of credentials may have undone it */
    harden_no_new_privileges();
    if (state->seccomp)
        seccomp_install(state->capabilities);
    spawn_exec(child, options->command);
}

/*
 * Enter the namespaces of the box and make a child in them: returns twice, like spawn(). To enter
 * the mount namespace is to enter its root; the pid namespace is only entered by children. The
 * cgroup namespace comes last and in the child, as nobody moves into a group from outside its
 * namespace. The moved clock is not the first process's, which made it, but its children's. Nothing
 * in the box may look into these processes meanwhile.
 */
static struct child enter_and_spawn(const struct state *state)
{
    int cgroup = -1;

    if (!state->alive)
        fail("box %s: is not running", state->name);
    if (state->cgroup[0] != '\0' && group_number(state->cgroup, "cgroup.events", "frozen") == 1) {
        hint("'echo 0 > %.300s/cgroup.freeze' thaws it, unless a group above is frozen",
             state->cgroup);
        fail("box %s: is frozen", state->name);
    }
    int process = state_process(state); /* held against reuse of its pid */
    if (process == -1)
        fail("box %s: has ended", state->name);
    if (state->cgroup[0] != '\0' &&
        (cgroup = open(state->cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
        die("open the cgroup %s", state->cgroup);
    int namespaces = namespaces_of(state);
    int group = open_namespace(state, namespaces, CLONE_NEWCGROUP, "cgroup");
    int clock = open_namespace(state, namespaces, CLONE_NEWTIME, "time_for_children");

    harden_undumpable();
    enter(state, "--all", process, namespaces & ~(CLONE_NEWCGROUP | CLONE_NEWTIME));
    if (clock != -1)
        enter(state, "--time", clock, CLONE_NEWTIME);
    struct child child = spawn_into_cgroup(0, cgroup);
    if (child.pid == -1)
        exit(EXIT_TOOL);
    if (child.pid == 0 && cgroup != -1)
        close(cgroup);
    if (child.pid == 0 && group != -1)
        enter(state, "--cgroup", group, CLONE_NEWCGROUP);
    return child;
}

/*
 * Wait for what comes from the box over CHILD's socket, be it only the end. The box can stop any
 * process in its pid namespace, and may be frozen meanwhile: so not for ever.
 */
static void await(const struct state *state, const struct child *child)
{
    struct pollfd ready = {.fd = child->sync, .events = POLLIN};

    if (poll(&ready, 1, LONGEST_WAIT) != 0)
        return;
    syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
    hint("the box may have stopped that process (SIGSTOP), or be frozen");
    fail("box %s: no answer from the process started in it", state->name);
}

/* What is not said is as for the box's own command; what is, counts. */
static void complete(struct options *options, const struct state *state)
{
    struct environment said = options->environment;
    char path[1024];

    state_path(state->name, "environment", path, sizeof(path));
    options->environment = environment_read(path);
    environment_append(&options->environment, &said);
    options->groups = state->groups;
    if (options->user == NULL)
        options->user = state->user;
    if (options->workdir == NULL && state->workdir[0] != '\0')
        options->workdir = state->workdir;
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

int command_exec(int argc, char **argv)
{
    int waiting = -1;
    struct options options = parse_options(argc, argv);
    struct state state;

    if (state_await(options.box, &state) < 0)
        return EXIT_TOOL;
    complete(&options, &state);
    umask(022); /* as for the box's own command */
    if (options.detach) {
        waiting = background_begin(NULL);
        take_nothing(&options.streams);
    } else {
        streams_open(&options.streams, &(struct streams_plan){options.terminal, options.interactive,
                                                              -1, state.first_id});
    }
    struct child child = enter_and_spawn(&state);
    if (child.pid == 0)
        run_inside(&options, &state, &child);
    streams_close(&options.streams);
    await(&state, &child);
    if (options.detach)
        return see_through(&child, waiting);
    int master = options.terminal ? terminal_receive(&child) : -1;
    if (master != -1)
        await(&state, &child); /* until the command runs: a person at the terminal could end that */
    if (!options.terminal || master != -1)
        terminal_relay(master, &child, &options.streams);
    return spawn_wait(&child);
}

int join_view(const struct state *state)
{
    static char *nothing[] = {"", NULL};
    struct options options = {.box = state->name, .groups = "", .command = nothing};

    view_remember_host();
    struct child child = enter_and_spawn(state);
    if (child.pid == 0)
        run_inside(&options, state, &child); /* the view comes in the command's place */
    await(state, &child);                    /* until its end */
    return spawn_wait(&child);
}
