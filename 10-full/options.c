#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../02-uts/uts.h"
#include "../04-mnt/mount.h"
#include "../06-user/number.h"
#include "../08-cgroup/limit.h"
#include "hosts.h"
#include "signals.h"

static const char usage[] =
    "Usage: full run [OPTION]... [--] IMAGE|DIR [COMMAND [ARG]...]\n"
    "Run COMMAND in a new box whose root is a layer on top of IMAGE, or the directory DIR (with a\n"
    "'/' in it). Default: the command that the image names, or /bin/sh.\n"
    "\n"
    "  -d, --detach           let it run in the background, and print its name\n"
    "  -i, --interactive      what is typed at a terminal is for COMMAND; other input always is\n"
    "                         (default: a terminal is not read; with --detach nothing is)\n"
    "  -t, --tty              a terminal of its own\n"
    "      --rm               forget the box when it ends (default, unless it is named or "
    "detached)\n"
    "      --name=NAME        name the box (default: twelve random digits)\n"
    "      --hostname=NAME    host name inside (default: the box's name)\n"
    "  -e, --env=NAME[=VALUE] set a variable, or hand down one's own; repeatable (default: only\n"
    "                         PATH, HOME, HOSTNAME and TERM, and those of the image, are set)\n"
    "      --env-file=FILE    the same for each line of FILE; repeatable, --env wins\n"
    "      --entrypoint=PROGRAM\n"
    "                         run PROGRAM with COMMAND as its arguments (default: the\n"
    "                         image's); \"\": COMMAND alone\n"
    "  -w, --workdir=DIR      working directory inside, made if missing (default: the\n"
    "                         image's, or /)\n"
    "  -u, --user=USER[:GROUP]\n"
    "                         who the command runs as, looked up inside (default: the image's, or\n"
    "                         root)\n"
    "      --group-add=GROUP  one more group for it, as for --user; repeatable\n"
    "  -v, --volume=SRC:DST[:ro]\n"
    "                         let SRC appear at DST, made if missing; with :ro\n"
    "                         read-only; docker's :z and :Z do nothing; repeatable\n"
    "                         (device files work in the box's own /dev alone,\n"
    "                         neither here nor in the root)\n"
    "      --tmpfs=DST[:OPTION,...]\n"
    "                         a new, empty tmpfs at DST, made if missing; repeatable\n"
    "                         OPTION: size=, mode=, uid=, gid=, ro, rw, exec, suid or\n"
    "                         dev (default: rw,noexec,nosuid,nodev,mode=1777)\n"
    "      --shm-size=SIZE    how much fits into /dev/shm (default: 64m)\n"
    "      --read-only        make the root read-only (default: writable)\n"
    "  -p, --publish=[[ADDRESS:][PORT]:]BOXPORT[/tcp|/udp]\n"
    "                         let a port of the host lead to one of the box; repeatable\n"
    "                         (default: a free one, see 'full ps'); 80-83 is a range\n"
    "      --network=KIND     bridge: a link of its own; none: loopback alone; host: the host's\n"
    "                         (default: bridge for root, none for an ordinary user)\n"
    "      --ip=ADDRESS[/BITS]\n"
    "                         address on the bridge (default: the first free one)\n"
    "      --dns=ADDRESS      ask this name server; repeatable (default: the host's)\n"
    "      --add-host=NAME:ADDRESS\n"
    "                         a line in /etc/hosts; host-gateway is the host;\n"
    "                         repeatable (default: localhost and the box itself)\n"
    "  -m, --memory=SIZE      at most this much memory, such as 64m or 1.5g (default:\n"
    "                         no limit, as with 0)\n"
    "      --cpus=NUMBER      at most so many processors' time, such as 0.5 (default: no limit)\n"
    "      --cpuset-cpus=LIST on these processors only (default: all)\n"
    "      --pids-limit=NUMBER\n"
    "                         at most so many processes (default: no limit, as with 0\n"
    "                         or -1)\n"
    "      --init             PID 1 is a small init and COMMAND its child (default: COMMAND "
    "itself)\n"
    "      --cap-add=NAME, --cap-drop=NAME\n"
    "                         keep or drop a capability, or ALL; repeatable\n"
    "                         (SYS_ADMIN can undo :ro, --read-only and what covers\n"
    "                         /proc: such a box may mount)\n"
    "      --seccomp=WHAT     default: filter the system calls; off: do not (default: default)\n"
    "      --userns=WHAT      auto: a user namespace of its own; host: none (default: auto)\n"
    "      --ulimit=NAME=SOFT[:HARD]\n"
    "                         a resource limit, such as nofile=1024; repeatable\n"
    "      --stop-signal=SIGNAL\n"
    "                         what 'full stop' sends (default: the image's, or TERM)\n"
    "      --stop-timeout=SECONDS\n"
    "                         how long 'full stop' waits before KILL (default: 10)\n"
    "      --boot-time-offset=SECONDS\n"
    "                         move the boot clock inside (default: as the host's)\n"
    "@\n"
    "An ordinary user has no bridge network, and of limits only those delegated to them.\n"
    "\n"
    "Example: full run -it --hostname bird ./rootfs\n"
    "\n"
    "The same in the shell, but for much detail:\n"
    "  unshare --mount --uts --ipc --pid --net --fork chroot ./rootfs /bin/bash --login\n"
    "  mount -t proc proc /proc\n";

/* Add "NAME=VALUE" to LIST, or "NAME" with the value that it has here. */
static void add_variable(char ***list, const char *text)
{
    size_t name = strcspn(text, "=");
    char *variable;

    if (name == 0)
        fail("variable '%s': is not NAME or NAME=VALUE", text);
    if (text[name] != '\0') {
        list_add(list, text);
        return;
    }
    const char *value = getenv(text);
    if (value == NULL)
        return;
    if (asprintf(&variable, "%s=%s", text, value) == -1)
        die("asprintf");
    list_add(list, variable);
}

/*
 * The same for each line of the file PATH, as docker reads it: blank lines and those that begin
 * with "#" are passed over, and what comes behind "=" is the value, quotes included.
 */
static void add_variables(char ***list, const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;

    for (int number = 1; file != NULL && getline(&line, &size, file) != -1; number++) {
        line[strcspn(line, "\n")] = '\0';
        size_t length = strlen(line);
        if (length > 0 && line[length - 1] == '\r') /* from another system's editor */
            line[length - 1] = '\0';
        char *text = strdup(line + strspn(line, " \t"));
        if (text == NULL)
            die("strdup");
        if (text[0] == '\0' || text[0] == '#')
            continue;
        if (text[strcspn(text, "= \t")] != '=' && text[strcspn(text, "= \t")] != '\0')
            fail("%s, line %d: invalid variable '%s': expected NAME=VALUE or NAME", path, number,
                 text);
        add_variable(list, text);
    }
    if (file == NULL || ferror(file))
        die("env file %s", path);
    free(line);
    fclose(file);
}

static void add_volume(struct spec *spec, struct bind volume)
{
    list_add(&spec->mounts, optarg);
    spec->volumes = realloc(spec->volumes, ((size_t)spec->volume_count + 1) * sizeof(volume));
    if (spec->volumes == NULL)
        die("realloc");
    spec->volumes[spec->volume_count++] = volume;
}

/*
 * Docker makes a volume of its own where DST stands alone or SRC is a name. In a box of an ordinary
 * user all files but their own belong to nobody, and nobody there can be their owner.
 */
static void take_volume(struct spec *spec, const char *text)
{
    struct stat status;

    if (strchr(text, ':') == NULL) {
        hint("'-v DIRECTORY:%s' shows a directory there, '--tmpfs %s' a new and empty one", text,
             text);
        fail("volume '%s': there are no anonymous volumes", text);
    }
    struct bind volume = bind_parse(text);
    bool missing = stat(volume.source, &status) == -1;
    if (strchr(volume.source, '/') == NULL && missing) {
        hint("'mkdir %s' makes a directory of that name here", volume.source);
        fail("volume '%s': there are no named volumes", volume.source);
    }
    if (!missing && geteuid() != 0 && status.st_uid != geteuid()) {
        hint("root can give a box files of all users, each with its owner");
        fail("volume %s: belongs to user %u; an ordinary user's box has that user's files alone",
             volume.source, status.st_uid);
    }
    add_volume(spec, volume);
}

/* One more of the groups, which "," parts. */
static void add_groups(struct spec *spec, const char *text)
{
    char *both;

    if (geteuid() != 0)
        fail("--group-add: an ordinary user's box has that user's group alone");
    if (asprintf(&both, "%s%s%s", spec->groups, spec->groups[0] ? "," : "", text) == -1)
        die("asprintf");
    spec->groups = both;
}

static const char *random_name(void)
{
    static char name[13];
    uint64_t bits = 0;

    if (getrandom(&bits, 6, 0) != 6)
        die("getrandom");
    snprintf(name, sizeof(name), "%012llx", (unsigned long long)bits);
    return name;
}

/* Is TEXT the first of two words and not the second? Any third ends the tool. */
static bool first_of_two(const char *text, const char *what, const char *first, const char *second)
{
    if (strcmp(text, first) != 0 && strcmp(text, second) != 0)
        fail("%s '%s': is neither %s nor %s", what, text, first, second);
    return strcmp(text, first) == 0;
}

static void check_network(const struct spec *spec)
{
    bool bridge = strcmp(spec->network, "bridge") == 0, none = strcmp(spec->network, "none") == 0;

    if (!bridge && !none && strcmp(spec->network, "host") != 0)
        fail("network '%s': is not bridge, none or host", spec->network);
    if (bridge && geteuid() != 0)
        fail("network bridge: only root can make links on the host; an ordinary user has 'none'");
    if (!bridge && (spec->net.port_count > 0 || spec->net.address != 0))
        fail("--publish and --ip need --network bridge");
    if (none && spec->net.dns_count > 0)
        fail("--dns needs --network bridge or host: without a network nobody can be asked");
    for (char **host = spec->hosts; none && host != NULL && *host != NULL; host++)
        if (strstr(*host, "host-gateway") != NULL)
            fail("--add-host '%s' needs --network bridge or host", *host);
}

static void set_defaults(struct spec *spec)
{
    spec->is_named = spec->name != NULL;
    spec->keep = !spec->remove && (spec->detach || spec->is_named);
    spec->created = time(NULL);
    if (spec->name == NULL)
        spec->name = random_name();
    if (!spec_name_is_valid(spec->name))
        fail("name '%s': a name is made of letters, digits, '_', '.' and '-', 63 at most",
             spec->name);
    if (spec->hostname == NULL)
        spec->hostname = spec->name;
    uts_check_name(spec->hostname, "host name");
    if (spec->network == NULL)
        spec->network = geteuid() == 0 ? "bridge" : "none";
    check_network(spec);
    if (!spec->user_namespace && geteuid() != 0)
        fail("--userns host: an ordinary user can make a box only with a user namespace");
    targets_check(spec->volumes, spec->volume_count);
}

enum {
    RM = TOOL_OWN,
    NAME,
    HOSTNAME,
    TMPFS,
    READ_ONLY,
    NETWORK,
    IP,
    DNS,
    PID,
    INIT,
    CAP_ADD,
    CAP_DROP,
    SECCOMP,
    USERNS,
    ULIMIT,
    STOP_SIGNAL,
    STOP_TIMEOUT,
    BOOT_OFFSET,
    ENTRYPOINT,
    ENV_FILE,
    SHM_SIZE,
    GROUP_ADD,
    ADD_HOST,
    CPUS,
    CPUSET_CPUS,
    PIDS_LIMIT,
};

static const struct option long_options[] = {
    {"detach", no_argument, NULL, 'd'},
    {"interactive", no_argument, NULL, 'i'},
    {"tty", no_argument, NULL, 't'},
    {"rm", no_argument, NULL, RM},
    {"name", required_argument, NULL, NAME},
    {"hostname", required_argument, NULL, HOSTNAME},
    {"env", required_argument, NULL, 'e'},
    {"env-file", required_argument, NULL, ENV_FILE},
    {"entrypoint", required_argument, NULL, ENTRYPOINT},
    {"workdir", required_argument, NULL, 'w'},
    {"user", required_argument, NULL, 'u'},
    {"group-add", required_argument, NULL, GROUP_ADD},
    {"volume", required_argument, NULL, 'v'},
    {"tmpfs", required_argument, NULL, TMPFS},
    {"shm-size", required_argument, NULL, SHM_SIZE},
    {"read-only", no_argument, NULL, READ_ONLY},
    {"publish", required_argument, NULL, 'p'},
    {"network", required_argument, NULL, NETWORK},
    {"ip", required_argument, NULL, IP},
    {"dns", required_argument, NULL, DNS},
    {"add-host", required_argument, NULL, ADD_HOST},
    {"memory", required_argument, NULL, 'm'},
    {"cpus", required_argument, NULL, CPUS},
    {"cpuset-cpus", required_argument, NULL, CPUSET_CPUS},
    {"pids-limit", required_argument, NULL, PIDS_LIMIT},
    {"pid", required_argument, NULL, PID},
    {"init", no_argument, NULL, INIT},
    {"cap-add", required_argument, NULL, CAP_ADD},
    {"cap-drop", required_argument, NULL, CAP_DROP},
    {"seccomp", required_argument, NULL, SECCOMP},
    {"userns", required_argument, NULL, USERNS},
    {"ulimit", required_argument, NULL, ULIMIT},
    {"stop-signal", required_argument, NULL, STOP_SIGNAL},
    {"stop-timeout", required_argument, NULL, STOP_TIMEOUT},
    {"boot-time-offset", required_argument, NULL, BOOT_OFFSET},
    TOOL_OPTIONS};

bool option_take(struct spec *spec, int option)
{
    const struct {
        int option;
        bool *flag;
        const char **text;
    } plain[] = {
        {'d', &spec->detach, NULL},
        {'i', &spec->interactive, NULL},
        {'t', &spec->terminal, NULL},
        {RM, &spec->remove, NULL},
        {READ_ONLY, &spec->read_only, NULL},
        {INIT, &spec->init, NULL},
        {TOOL_VIEW, &spec->view, NULL},
        {NAME, NULL, &spec->name},
        {HOSTNAME, NULL, &spec->hostname},
        {'w', NULL, &spec->workdir},
        {'u', NULL, &spec->user},
        {NETWORK, NULL, &spec->network},
        {ENTRYPOINT, NULL, &spec->entrypoint},
    };

    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        if (plain[i].option != option)
            continue;
        if (plain[i].flag != NULL)
            *plain[i].flag = true;
        else
            *plain[i].text = optarg;
        return option != TOOL_VIEW;
    }
    if (option == 'e')
        add_variable(&spec->environment, optarg);
    return option == 'e';
}

/* Those of chapter 7. False for others. */
static bool take_network(struct spec *spec, int option)
{
    if (option != 'p' && option != IP && option != DNS)
        return false;
    if (spec->net.bridge == NULL)
        network_start(&spec->net);
    if (option == 'p')
        network_read_publish(&spec->net, optarg);
    else if (option == IP)
        network_read_address(optarg, "ip", &spec->net.address);
    else
        network_read_dns(&spec->net, optarg);
    return true;
}

/* Those of chapter 8. With docker, 0 and -1 stand for no limit, but for a processor. */
static bool take_limit(struct spec *spec, int option)
{
    struct cgroup_limits *limits = &spec->plan.limits;
    bool none = optarg != NULL && (strcmp(optarg, "0") == 0 || strcmp(optarg, "-1") == 0);

    if (option == CPUSET_CPUS)
        limit_file(limits, "cpuset.cpus", optarg);
    else if (option == 'm' && !none)
        limit_size(limits, "memory.max", optarg, LIMIT_LEAST_MEMORY);
    else if (option == CPUS && !none)
        limit_cpus(limits, optarg);
    else if (option == PIDS_LIMIT && !none)
        limit_file(limits, "pids.max", optarg);
    return option == CPUSET_CPUS || option == 'm' || option == CPUS || option == PIDS_LIMIT;
}

static void take_option(struct spec *spec, int option, char ***file_environment)
{
    if (option_take(spec, option) || take_network(spec, option) || take_limit(spec, option))
        return;
    if (option == ENV_FILE) {
        add_variables(file_environment, optarg);
    } else if (option == 'v') {
        take_volume(spec, optarg);
    } else if (option == TMPFS) {
        add_volume(spec, tmpfs_parse(optarg));
    } else if (option == ADD_HOST) {
        hosts_check(optarg);
        list_add(&spec->hosts, optarg);
    } else if (option == GROUP_ADD) {
        add_groups(spec, optarg);
    } else if (option == SHM_SIZE) {
        spec->shm_size = limit_bytes(optarg, "shm-size", 1);
    } else if (option == ULIMIT) {
        rlimit_add(&spec->limits, optarg);
    } else if (option == CAP_ADD) {
        spec->choice.add |= capability_named(optarg);
    } else if (option == CAP_DROP) {
        spec->choice.drop |= capability_named(optarg);
    } else if (option == SECCOMP) {
        spec->seccomp = first_of_two(optarg, "seccomp", "default", "off");
    } else if (option == USERNS) {
        spec->user_namespace = first_of_two(optarg, "userns", "auto", "host");
    } else if (option == STOP_SIGNAL) {
        spec->stop_signal = signal_option(optarg);
    } else if (option == STOP_TIMEOUT) {
        spec->stop_timeout = (int)tool_number(optarg, "stop timeout", 0, LONGEST_STOP);
    } else if (option == BOOT_OFFSET) {
        spec->boot_offset = tool_number(optarg, "boot time offset", INT32_MIN, INT32_MAX);
        spec->has_offset = true;
    } else if (option == PID) { /* docker's, and else an abbreviation of --pids-limit */
        fail("--pid %s: a box always has processes of its own", optarg);
    } else {
        tool_option(option);
    }
}

void run_options(struct spec *spec, int argc, char **argv)
{
    char **environment = NULL;
    int option;

    spec->groups = "";
    spec->seccomp = spec->user_namespace = true;
    spec->stop_timeout = 10;
    tool_start(argv, "full run", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS "dite:w:u:v:p:m:", long_options, NULL)) !=
           -1) {
        take_option(spec, option, &environment);
    }
    if (optind == argc)
        fail("an image or a root directory is missing: full run IMAGE|DIR [COMMAND]");
    spec->source = argv[optind++];
    if (spec->entrypoint != NULL && spec->entrypoint[0] != '\0')
        argv[--optind] = (char *)spec->entrypoint; /* in front of its arguments */
    spec->command = optind < argc ? argv + optind : NULL;
    for (char **each = spec->environment; each != NULL && *each != NULL; each++)
        list_add(&environment, *each); /* --env wins */
    spec->environment = environment;
    set_defaults(spec);
}
