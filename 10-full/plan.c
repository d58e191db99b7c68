#include "plan.h"

#include <linux/magic.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/inside.h"
#include "../08-cgroup/controller.h"
#include "../09-overlay/overlay.h"
#include "range.h"
#include "signals.h"

static void plan_network(struct plan *plan)
{
    const struct run_options *options = plan->options;
    char text[RESOLV_TEXT];

    plan->own_network = strcmp(options->network, "host") != 0;
    plan->linked = strcmp(options->network, "bridge") == 0;
    if (strcmp(options->network, "none") == 0)
        return;
    network_start(&plan->network);
    for (int i = 0; i < options->dns_count; i++)
        network_read_dns(&plan->network, options->dns[i]);
    (void)resolv_compose(plan->network.dns, plan->network.dns_count, text);
    plan->resolv = strdup(text);
    if (plan->resolv == NULL)
        die("strdup");
    if (!plan->linked)
        return;
    if (options->address != NULL)
        network_read_network(options->address, "ip", &plan->network.address, &plan->network.prefix);
    for (int i = 0; i < options->port_count; i++)
        network_read_publish(&plan->network, options->ports[i]);
}

/* Is there a cgroup v2 tree in which root may make a group even if nobody has asked for limits? */
static bool tree_is_there(void)
{
    static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    struct statfs system;

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (statfs(places[i], &system) == 0 && system.f_type == CGROUP2_SUPER_MAGIC)
            return access(places[i], W_OK) == 0;
    return false;
}

/* With docker, 0 and -1 stand for no limit, and so need no group. */
static void add_limit(struct cgroup_limits *limits, int option, const char *text)
{
    if (text != NULL && strcmp(text, "0") != 0 && strcmp(text, "-1") != 0)
        limit_option(limits, option, text);
}

static void plan_group(struct plan *plan)
{
    const struct run_options *options = plan->options;
    struct cgroup_limits *limits = &plan->group.limits;

    add_limit(limits, LIMIT_CPUS, options->cpus);
    if (options->cpuset != NULL) /* here 0 is a processor */
        limit_option(limits, LIMIT_CPUSET_CPUS, options->cpuset);
    add_limit(limits, LIMIT_MEMORY, options->memory);
    add_limit(limits, LIMIT_PIDS, options->pids);
    limit_complete(limits);
    plan->group.wanted = CONTROLLER_CPU | CONTROLLER_MEMORY | CONTROLLER_PIDS;
    plan->grouped = limits->count > 0 || (geteuid() == 0 && tree_is_there());
}

void plan_options(struct plan *plan, const struct run_options *options)
{
    plan->options = options; /* the rest is zero: static, and pages not written to cost nothing */
    plan_network(plan);
    plan_group(plan);
    plan->capabilities = capability_chosen(&options->capabilities);
    plan->environment = options->environment;
    plan->user = options->user;
    plan->workdir = options->workdir;
    plan->command = options->command;
    plan->stop_signal = options->stop_signal;
}

/* A range of the host's ids for root, oneself for an ordinary user. */
static void plan_users(struct plan *plan)
{
    if (!plan->options->user_namespace)
        return;
    if (geteuid() != 0) {
        plan->users = idmap_single(0, geteuid());
        plan->groups = idmap_single(0, getegid());
        return;
    }
    plan->first_id = range_take();
    plan->users.ranges[0] = (struct id_range){0, plan->first_id, RANGE_IDS};
    plan->users.count = 1;
    plan->groups = plan->users;
    plan->mapped = true;
}

/* The image's variables come first, so that the options' count; the rest counts if not given. */
static void plan_config(struct plan *plan)
{
    const struct config *config = &plan->layers.image.config;
    struct environment both = {.variables = NULL};

    for (char **variable = config->environment; *variable != NULL; variable++)
        if (strchr(*variable, '=') != NULL) /* a bare name would ask for the host's */
            environment_add(&both, *variable);
    environment_append(&both, &plan->environment);
    plan->environment = both;
    if (plan->user == NULL)
        plan->user = config->user;
    if (plan->workdir == NULL)
        plan->workdir = config->directory;
    if (plan->options->entrypoint == NULL)
        plan->command = image_command(&plan->layers.image, plan->command);
}

static int plan_stop_signal(struct plan *plan)
{
    const char *wanted = plan->layers.image.config.stop_signal;

    if (plan->stop_signal != 0 || wanted == NULL || wanted[0] == '\0')
        return 0;
    plan->stop_signal = signal_number(wanted);
    if (plan->stop_signal != 0)
        return 0;
    hint("--stop-signal=TERM takes another one instead");
    return refuse("image %s: invalid StopSignal '%.80s'", plan->options->source, wanted);
}

static int plan_image(struct plan *plan)
{
    const struct run_options *options = plan->options;
    bool marked = options->user_namespace || in_user_namespace();

    plan_config(plan);
    int error = plan_stop_signal(plan);
    if (error != 0)
        return error;
    if (options->keep || (marked && !overlay_tmpfs_keeps_marks()))
        return layers_name(&plan->layers, options->name);
    return 0;
}

int plan_root(struct plan *plan)
{
    static char *shell[] = {"/bin/sh", NULL};
    const struct run_options *options = plan->options;
    int error = layers_open(&plan->layers, options->source);

    if (error == 0 && plan->layers.directory == NULL)
        error = plan_image(plan);
    if (error != 0)
        return error;
    if (plan->command == NULL || plan->command[0] == NULL) {
        plan->command = shell;
        streams_check_shell(options->interactive || options->terminal || options->detach ||
                            options->view);
    }
    plan_users(plan);
    return 0;
}

uint64_t plan_namespaces(const struct plan *plan)
{
    uint64_t namespaces =
        CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWCGROUP;

    if (plan->users.count > 0)
        namespaces |= CLONE_NEWUSER;
    if (plan->own_network)
        namespaces |= CLONE_NEWNET;
    return namespaces;
}
