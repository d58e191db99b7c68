#include "container.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../09-overlay/descriptor.h"
#include "box.h"
#include "range.h"
#include "state.h"
#include "terminal.h"

/* What has to be undone when this process, the monitor of the box, ends. */
static struct {
    pid_t monitor; /* 0 while there is nothing to undo */
    struct child child;
    struct state state;
    struct network network;
} box;

/*
 * Runs at every exit(3), be it after an error: so whatever ends the monitor short of SIGKILL,
 * nothing is left. What SIGKILL leaves the next command finds: state_clear_dead().
 */
static void undo(void)
{
    if (box.monitor != getpid())
        return; /* the box inherits this from before the clone */
    if (box.child.pid > 0) {
        syscall(SYS_pidfd_send_signal, box.child.pidfd, SIGKILL, NULL, 0);
        waitpid(box.child.pid, NULL, 0);
    }
    if (box.network.lease != NULL)
        (void)network_release(&box.network); /* 07 */
    box.state.pid = 0;
    if (box.state.keep) {
        box.state.ended = time(NULL);
        (void)state_write(&box.state);
    } else {
        (void)state_forget(&box.state);
    }
}

/* The words of COMMAND with blanks between, cut where TEXT ends. */
static void join_words(char **command, char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (int i = 0; command[i] != NULL && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%s", i ? " " : "", command[i]);
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\n')
            *c = ' '; /* the state file has a line per value */
}

static void begin(const struct run_options *options)
{
    box.state = (struct state){.keep = options->keep, .created = time(NULL), .status = EXIT_TOOL};
    snprintf(box.state.name, NAME_SIZE, "%s", options->name);
    snprintf(box.state.source, sizeof(box.state.source), "%s", options->source);
    snprintf(box.state.hostname, sizeof(box.state.hostname), "%s", options->hostname);
    join_words(options->command, box.state.command, sizeof(box.state.command));
    state_clear_dead();
    if (state_begin(options->name) < 0)
        exit(EXIT_TOOL);
    box.monitor = getpid();
    atexit(undo);
}

/* Which users there are inside: a range of the host's for root, oneself for an ordinary user. */
static void plan_users(struct plan *plan)
{
    if (!plan->options->user_namespace)
        return;
    if (geteuid() != 0) {
        plan->users = idmap_single(0, geteuid());
        plan->groups = idmap_single(0, getegid());
        return;
    }
    box.state.first_id = range_take();
    plan->users.ranges[0] = (struct id_range){0, box.state.first_id, RANGE_IDS};
    plan->users.count = 1;
    plan->groups = plan->users;
    plan->mapped_mounts = true;
}

/* What --network, --publish, --ip and --dns ask for. Before begin(), as mistakes end the tool. */
static void plan_network(struct plan *plan)
{
    const struct run_options *options = plan->options;

    plan->own_network = strcmp(options->network, "host") != 0;
    if (strcmp(options->network, "bridge") != 0)
        return;
    plan->network = &box.network;
    network_start(&box.network);
    if (options->address != NULL)
        network_read_network(options->address, "ip", &box.network.address, &box.network.prefix);
    if (options->dns != NULL)
        network_read_dns(&box.network, options->dns);
    for (int i = 0; i < options->port_count; i++)
        network_read_publish(&box.network, options->ports[i]);
}

/* Link the box to the bridge, and note its address and ports. */
static int attach_network(const struct run_options *options)
{
    struct in_addr address;
    int error = network_attach(&box.network, box.child.pid);

    if (error != 0)
        return error;
    address.s_addr = htonl(box.network.lease->address);
    inet_ntop(AF_INET, &address, box.state.address, sizeof(box.state.address));
    for (int i = 0; i < options->port_count; i++) {
        size_t length = strlen(box.state.ports);
        snprintf(box.state.ports + length, sizeof(box.state.ports) - length, "%s%s", i ? " " : "",
                 options->ports[i]);
    }
    return 0;
}

/* The root and the volumes as the box's users own them, in the order in which the box asks. */
static void send_mapped_mounts(const struct run_options *options)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/ns/user", box.child.pid);
    int users = open(path, O_RDONLY | O_CLOEXEC);
    if (users == -1)
        die("open %s", path);
    for (int i = -1; i < options->volume_count; i++) {
        const char *source = i == -1 ? options->source : options->volumes[i].source;
        if (source == NULL)
            continue;
        int tree = range_map_mount(source, users);
        if (descriptor_send(box.child.sync, tree) < 0)
            exit(EXIT_TOOL);
        close(tree);
    }
    close(users);
}

/*
 * With --detach the caller goes on as the monitor, in the background. The process before it stays
 * until the box runs or has failed, and ends with the status that the monitor writes to the
 * descriptor returned.
 */
static int detach(const char *name)
{
    unsigned char status = EXIT_TOOL;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) == -1)
        die("pipe");
    pid_t monitor = fork();
    if (monitor == -1)
        die("fork");
    if (monitor == 0) {
        close(ends[0]);
        setsid();
        return ends[1];
    }
    close(ends[1]);
    if (read(ends[0], &status, 1) == 1 && status == EXIT_SUCCESS)
        printf("%s\n", name);
    exit(status);
}

/* The box runs, or has ended already: tell who waits, and let go of the terminal. */
static void tell_started(int waiting)
{
    siginfo_t ended = {.si_pid = 0};
    unsigned char status = EXIT_SUCCESS;
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    spawn_wait_exec(&box.child);
    waitid(P_PID, (id_t)box.child.pid, &ended, WEXITED | WNOHANG | WNOWAIT);
    if (ended.si_pid != 0 && ended.si_code == CLD_EXITED && ended.si_status >= EXIT_TOOL &&
        ended.si_status <= EXIT_NOT_FOUND)
        status = (unsigned char)ended.si_status;
    for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++)
        dup2(nothing, file);
    if (status != EXIT_SUCCESS)
        box.state.keep = false; /* it never ran: there is nothing to keep */
    if (write(waiting, &status, 1) == -1)
        _exit(EXIT_TOOL);
    close(waiting);
    close(nothing);
}

static int open_log(const char *name)
{
    char path[1024];

    state_path(name, "log", path, sizeof(path));
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log == -1)
        die("open %s", path);
    return log;
}

static uint64_t namespaces_of(const struct plan *plan)
{
    uint64_t namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWIPC;

    if (plan->users.count > 0)
        namespaces |= CLONE_NEWUSER;
    if (plan->own_network)
        namespaces |= CLONE_NEWNET;
    return namespaces;
}

/* The road on the host's side, with the number of the chapter that each step comes from. */
int container_run(struct run_options *options)
{
    static char *shell[] = {"/bin/sh", NULL};
    struct plan plan = {.options = options, .log = -1};
    int waiting = -1;

    if (options->command == NULL)
        options->command = shell;
    if (options->detach)
        waiting = detach(options->name);
    plan_network(&plan);
    begin(options);
    plan.capabilities = capability_chosen(&options->capabilities);
    box.state.capabilities = plan.capabilities;
    box.state.seccomp = options->seccomp;
    box.state.user_namespace = options->user_namespace;
    if (options->detach)
        plan.log = open_log(options->name);
    plan_users(&plan);

    struct child child = spawn(namespaces_of(&plan)); /* 02 */
    if (child.pid == 0)
        box_run(&plan, &child);
    box.child = child;
    box.state.pid = child.pid;
    box.state.born = state_birth(child.pid);
    if (plan.users.count > 0)
        idmap_write(child.pid, &plan.users, &plan.groups, plan.mapped_mounts); /* 06 */
    if (plan.network != NULL && attach_network(options) != 0)                  /* 07 */
        return EXIT_TOOL;
    if (state_write(&box.state) < 0)
        return EXIT_TOOL;
    spawn_go(&child); /* 02 */
    if (plan.mapped_mounts)
        send_mapped_mounts(options); /* 09 */

    int master = options->terminal ? terminal_receive(&child) : -1; /* 10 */
    if (options->detach)
        tell_started(waiting);
    if (options->detach)
        terminal_relay(master, &child, -1, plan.log);
    else
        terminal_relay(master, &child, master == -1 ? -1 : STDIN_FILENO, STDOUT_FILENO);
    box.state.status = spawn_wait(&child); /* 02 */
    box.child.pid = 0;
    return box.state.status;
}
