#include "container.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../09-overlay/descriptor.h"
#include "../09-overlay/idmapped.h"
#include "background.h"
#include "box.h"
#include "log.h"
#include "plan.h"
#include "state.h"
#include "terminal.h"

/* What has to be undone when this process, the monitor of the box, ends. */
static struct {
    pid_t monitor;      /* 0 while there is nothing to undo */
    struct child child; /* 02: pid 0 while there is none */
    bool has_group;
    bool started; /* if not, there is nothing that the name could be kept for */
    int lock;     /* of its state */
    struct state state;
    struct claim claim;  /* 07: of the group */
    struct cgroup group; /* 08 */
    struct plan plan;    /* 07: its network; 09: its layers */
} box; /* zero, and never written to as a whole: a page that isn't touched isn't there */

/*
 * Runs at every exit(3), be it after an error: so whatever ends the monitor short of SIGKILL,
 * nothing is left. What SIGKILL leaves the next command finds: state_clear_dead().
 */
static void undo(void)
{
    int error = 0;

    if (box.monitor != getpid())
        return; /* the box inherits this from before the clone */
    spawn_hold_stops(true);
    if (box.child.pid > 0) {
        syscall(SYS_pidfd_send_signal, box.child.pidfd, SIGKILL, NULL, 0);
        waitpid(box.child.pid, NULL, 0);
    }
    if (box.plan.network.lease != NULL)
        error |= network_release(&box.plan.network); /* 07 */
    error |= claim_end(&box.claim);                  /* 08 */
    if (box.has_group)
        cgroup_leave(&box.group);
    error |= state_tell(box.lock, box.state.status);
    box.state.pid = 0;
    if (box.state.keep && box.started) {
        box.state.ended = time(NULL);
        error |= state_write(&box.state);
    } else {
        error |= state_forget(&box.state);
    }
    if (error != 0)
        _exit(EXIT_TOOL); /* what is left has been told: the command's status would hide it */
}

/* A line in the state file, and shown on terminals, while what an image says could be anything. */
static void note_text(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text != NULL ? text : "");
    tool_disarm(to, ' ');
}

/* The words of COMMAND with blanks between, cut where TEXT ends. */
static void join_words(char **command, char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (int i = 0; command[i] != NULL && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%s", i ? " " : "", command[i]);
}

static void begin(const struct run_options *options)
{
    box.state.keep = options->keep;
    box.state.created = time(NULL);
    box.state.status = EXIT_TOOL;
    snprintf(box.state.name, NAME_SIZE, "%s", options->name);
    note_text(box.state.source, sizeof(box.state.source), options->source);
    snprintf(box.state.hostname, sizeof(box.state.hostname), "%s", options->hostname);
    box.state.capabilities = box.plan.capabilities;
    box.state.seccomp = options->seccomp;
    box.state.user_namespace = options->user_namespace;
    spawn_block_signals(); /* from here on there is something to undo */
    box.lock = state_begin(options->name);
    if (box.lock < 0)
        exit(EXIT_TOOL);
    box.claim = (struct claim)CLAIM_NONE;
    box.monitor = getpid();
    atexit(undo);
}

/* Link the box to the bridge, and note its address and ports. */
static int attach_network(void)
{
    _Static_assert(sizeof(box.state.ports) >= (size_t)NAT_PORTS * PUBLISH_TEXT,
                   "all ports have room");
    char port[PUBLISH_TEXT];
    struct in_addr address;
    int error = network_attach(&box.plan.network, box.child.pid);

    if (error != 0)
        return error;
    address.s_addr = htonl(box.plan.network.lease->address);
    inet_ntop(AF_INET, &address, box.state.address, sizeof(box.state.address));
    for (int i = 0; i < box.plan.network.port_count; i++) {
        size_t length = strlen(box.state.ports);
        network_write_publish(&box.plan.network.ports[i], port);
        snprintf(box.state.ports + length, sizeof(box.state.ports) - length, "%s%s", i ? " " : "",
                 port);
    }
    return state_write(&box.state);
}

/* The volumes and the root as the box's users own them, in the order in which the box asks. */
static int send_mapped_mounts(void)
{
    const struct run_options *options = box.plan.options;
    char path[64];
    int error = 0;

    snprintf(path, sizeof(path), "/proc/%d/ns/user", box.child.pid);
    int users = open(path, O_RDONLY | O_CLOEXEC);
    if (users == -1)
        return report("open %s", path);
    for (int i = 0; i < options->volume_count && error == 0; i++) {
        if (options->volumes[i].source == NULL)
            continue;
        int tree = overlay_idmap(options->volumes[i].source, users);
        error = tree < 0 ? tree : descriptor_send(box.child.sync, tree);
        if (tree >= 0)
            close(tree);
    }
    if (error == 0)
        error = layers_send(&box.plan.layers, &box.child, users);
    close(users);
    return error;
}

/* The box runs, or could not: tell who waits, let go of the terminal. If nobody waits, end it. */
static void tell_started(int waiting, bool executed)
{
    siginfo_t ended = {.si_pid = 0};
    int status = EXIT_SUCCESS;

    if (!executed) {
        waitid(P_PID, (id_t)box.child.pid, &ended, WEXITED | WNOWAIT);
        status = ended.si_code == CLD_EXITED ? ended.si_status : EXIT_TOOL;
    }
    if (background_tell(waiting, status) == -1) {
        if (errno != EPIPE)
            (void)report("tell what has become of box %s", box.state.name);
        exit(EXIT_TOOL);
    }
    box.started = executed;
    background_let_go();
    if (executed)
        close(waiting);
}

static int open_log(const char *name)
{
    char path[1024];

    state_path(name, "log", path, sizeof(path));
    return log_open(path);
}

/* Note what the box is, before there is anything that only this note would tell of. */
static int note(void)
{
    const struct plan *plan = &box.plan;
    char path[1024], words[sizeof(box.state.command)];

    join_words(plan->command, words, sizeof(words));
    note_text(box.state.command, sizeof(box.state.command), words);
    snprintf(box.state.layer, sizeof(box.state.layer), "%s", plan->layers.upper);
    snprintf(box.state.image, sizeof(box.state.image), "%s", plan->layers.image.id);
    box.state.first_id = plan->first_id;
    box.state.stop_signal = plan->stop_signal != 0 ? plan->stop_signal : SIGTERM;
    box.state.stop_timeout = plan->options->stop_timeout;
    note_text(box.state.user, sizeof(box.state.user), plan->user);
    note_text(box.state.groups, sizeof(box.state.groups), plan->options->groups);
    note_text(box.state.workdir, sizeof(box.state.workdir), plan->workdir);
    if (box.has_group)
        snprintf(box.state.cgroup, sizeof(box.state.cgroup), "%s", box.group.path);
    state_path(box.state.name, "environment", path, sizeof(path));
    int error = environment_write(&plan->environment, path);
    return error != 0 ? error : state_write(&box.state);
}

/* The host's part, while the box waits: who its users are, its network, its mounts. */
static int serve_box(void)
{
    struct plan *plan = &box.plan;

    if (plan->users.count > 0)
        idmap_write(box.child.pid, &plan->users, &plan->groups, plan->mapped); /* 06 */
    int error = plan->linked ? attach_network() : 0;                           /* 07 */
    if (error != 0)
        return error;
    rlimit_allow(&plan->options->limits, box.child.pid);
    spawn_go(&box.child);                           /* 02 */
    return plan->mapped ? send_mapped_mounts() : 0; /* 09 */
}

/* Note the box's process, once its command runs: from then on others may enter it. */
static int note_running(void)
{
    box.state.born = state_birth(box.child.pid);
    box.state.pid = box.child.pid;
    return state_write(&box.state);
}

/* The road on the host's side, with the number of the chapter that each step comes from. */
int container_run(const struct run_options *options)
{
    struct plan *plan = &box.plan;
    int waiting = -1, log = -1;

    umask(022); /* the caller's is neither for the box nor for what is made for it: umask(2) */
    plan_options(plan, options);
    if (options->detach)
        waiting = background_begin(options->name);
    begin(options);
    if (options->detach)
        log = open_log(options->name);
    if (plan_root(plan) != 0) /* 09, 06 */
        return EXIT_TOOL;
    if (plan->grouped && claim_take(&box.claim, claim_home(), NULL) != 0)
        return EXIT_TOOL;
    box.has_group = plan->grouped;
    if (plan->grouped && cgroup_make(&box.group, &plan->group, &box.claim) != 0) /* 08 */
        return EXIT_TOOL;
    if (note() != 0)
        return EXIT_TOOL;
    if (plan->layers.upper[0] != '\0' && layers_keep(&plan->layers) != 0) /* 09 */
        return EXIT_TOOL;

    streams_open(&plan->streams, &(struct streams_plan){options->terminal, options->interactive,
                                                        log, plan->first_id}); /* 10 */
    struct child child =
        spawn_into_cgroup(plan_namespaces(plan), box.has_group ? box.group.directory : -1); /* 02 */
    if (child.pid == 0) {
        claim_close(&box.claim);
        box_run(plan, &child);
    }
    if (child.pid == -1)
        return EXIT_TOOL;
    box.child = child;
    streams_close(&plan->streams);
    if (serve_box() != 0)
        return EXIT_TOOL;

    box.started = !options->detach; /* else tell_started() decides */
    int master = options->terminal ? terminal_receive(&child) : -1; /* 10 */
    int executed = options->terminal && master == -1 ? 0 : spawn_wait_exec(&child);
    if (executed < 0 || (executed && note_running() != 0))
        return EXIT_TOOL;
    if (options->detach)
        tell_started(waiting, executed);
    terminal_relay(master, &child, &plan->streams);
    box.state.status = spawn_wait(&child); /* 02 */
    box.child.pid = 0;
    return box.state.status;
}
