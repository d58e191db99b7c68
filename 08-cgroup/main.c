/*
 * cgroup: run a command in a control group of its own, with limits.
 *
 * Namespaces decide what a process sees; control groups decide how much it may use. The group is
 * created first and the child is born in it, so that the limits hold from its first instruction.
 */
#include <limits.h>
#include <sched.h>
#include <stddef.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../01-chroot/view.h"
#include "../02-uts/spawn.h"
#include "../03-pid/proc.h"
#include "../06-user/idmap.h"
#include "cgroup.h"
#include "usage.h"

static const char usage[] =
    "Usage: cgroup [OPTION]... [--] [COMMAND [ARG]...]\n"
    "Run COMMAND (/bin/sh if none is given) in a control group of its own.\n"
    "\n"
    "      --cpus=NUMBER      processor time, in processors: 0.2 is 20 ms of each 100\n"
    "      --cpuset-cpus=LIST processors to run on, such as 0,2-3\n"
    "      --memory=SIZE      memory, such as 64M or 1.5G; beyond it, processes die\n"
    "      --memory-swap=SIZE swap space on top (default: none if --memory is given)\n"
    "      --pids=N           processes and threads at a time\n"
    "      --set=FILE=VALUE   another file of the interface: cpu.weight=200,\n"
    "                         memory.high=32M, \"io.max=MAJ:MIN wbps=1048576\"\n"
    "      --parent=PATH      its parent group, as a path or from the top of the tree\n"
    "                         (default: ten-steps, at the top or where you may write)\n"
    "  -s, --stat             print usage at the end, and how often limits were hit\n"
    "@\n"
    "Limits are off by default.\n"
    "\n"
    "Example: cgroup --cpus 0.2 --memory 64M --pids 32 --stat sh\n"
    "\n"
    "The same in the shell:\n"
    "  cd /sys/fs/cgroup\n"
    "  echo '+cpu +memory +pids' > cgroup.subtree_control\n"
    "  mkdir demo\n"
    "  echo '20000 100000' > demo/cpu.max\n"
    "  echo 64M > demo/memory.max; echo 32 > demo/pids.max\n"
    "  sh -c 'echo $$ > demo/cgroup.procs; exec unshare --cgroup sh'\n"
    "  rmdir demo\n";

struct options {
    struct cgroup_plan plan;
    bool stat;
    char **command;
};

static struct options parse_options(int argc, char **argv)
{
    enum { CPUS = TOOL_OWN, CPUSET_CPUS, MEMORY, MEMORY_SWAP, PIDS, SET, PARENT };
    static const struct option long_options[] = {
        {"cpus", required_argument, NULL, CPUS},
        {"cpuset-cpus", required_argument, NULL, CPUSET_CPUS},
        {"memory", required_argument, NULL, MEMORY},
        {"memory-swap", required_argument, NULL, MEMORY_SWAP},
        {"pids", required_argument, NULL, PIDS},
        {"set", required_argument, NULL, SET},
        {"parent", required_argument, NULL, PARENT},
        {"stat", no_argument, NULL, 's'},
        TOOL_OPTIONS};
    struct options options = {.stat = false};
    struct cgroup_limits *limits = &options.plan.limits;
    int option;

    tool_start(argv, "cgroup", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS "s", long_options, NULL)) != -1) {
        if (option == CPUS)
            limit_cpus(limits, optarg);
        else if (option == CPUSET_CPUS)
            limit_file(limits, "cpuset.cpus", optarg);
        else if (option == MEMORY)
            limit_size(limits, "memory.max", optarg, LIMIT_MIN_MEMORY);
        else if (option == MEMORY_SWAP)
            limit_size(limits, "memory.swap.max", optarg, 0);
        else if (option == PIDS && tool_number(optarg, "pids", 1, INT_MAX) > 0)
            limit_file(limits, "pids.max", optarg);
        else if (option == SET)
            limit_any(limits, optarg);
        else if (option == PARENT)
            options.plan.parent = optarg;
        else if (option == 's')
            options.stat = options.plan.counted = true;
        else
            tool_option(option);
    }
    options.command = tool_command(argc, argv);
    return options;
}

/* An ordinary user needs a user namespace for the others, and keeps their number in it. */
static void map_myself(uid_t user, gid_t group)
{
    struct id_map users = {{{user, user, 1}}, 1}, groups = {{{group, group, 1}}, 1};
    idmap_write(&(struct child){.pid = getpid(), .sync = -1}, &users, &groups, false);
}

int main(int argc, char **argv)
{
    struct options options = parse_options(argc, argv);
    uid_t user = geteuid();
    gid_t user_group = getegid();
    uint64_t namespaces = CLONE_NEWCGROUP | CLONE_NEWNS | (user != 0 ? CLONE_NEWUSER : 0);
    struct claim claim;
    struct cgroup group;

    spawn_block_signals(); /* from here on there is something to undo */
    int error = claim_take(&claim, claim_home(), NULL, LOCK_EX);
    if (error == 0)
        error = cgroup_make(&group, &options.plan, &claim);
    if (error != 0) {
        (void)claim_end(&claim);
        return EXIT_TOOL;
    }
    struct clone_args arguments = {.flags = namespaces};
    /* EXERCISE 8.3: let the child be born in the group, not moved there later. clone(2) */
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = (uint64_t)group.directory;
    /* END */
    double start = usage_clock();
    explain("echo $$ > %s/cgroup.procs\t.cgroup = that directory", group.path);
    struct child child = spawn_with(arguments);
    if (child.pid == 0) { /* in the box */
        claim_close(&claim);
        if (user != 0)
            map_myself(user, user_group);
        mounts_make_private();
        cgroup_mount();
        view_in_place_of_command(); /* with --view */
        spawn_exec(&child, options.command);
    }

    claim_sweep(claim_home(), false);
    int status = child.pid == -1 ? EXIT_TOOL : spawn_wait(&child); /* on the host */
    if (options.stat)
        usage_print(STDERR_FILENO, "", group.path, usage_clock() - start, "peak");
    return claim_end(&claim) == 0 ? status : EXIT_TOOL;
}
