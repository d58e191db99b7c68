#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../02-uts/uts.h"
#include "../04-mnt/tmpfs.h"
#include "../06-user/number.h"
#include "../08-cgroup/limit.h"
#include "absent.h"
#include "hosts.h"
#include "signals.h"
#include "state.h"

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

/* One more element at the end of an array that grows; COUNT is what it holds now. */
static void *grow(void *array, int count, size_t size)
{
    void *larger = realloc(array, ((size_t)count + 1) * size);
    if (larger == NULL)
        die("realloc");
    return larger;
}

static void add_volume(struct run_options *options, struct bind volume)
{
    options->volumes = grow(options->volumes, options->volume_count, sizeof(volume));
    options->volumes[options->volume_count++] = volume;
}

/* Docker makes a volume of its own where DST stands alone or SRC is a name. */
static void take_volume(struct run_options *options, const char *text)
{
    if (strchr(text, ':') == NULL) {
        hint("'-v DIRECTORY:%s' shows a directory there, '--tmpfs %s' a new and empty one", text,
             text);
        fail("volume '%s': there are no anonymous volumes", text);
    }
    struct bind volume = bind_parse(text);
    if (strchr(volume.source, '/') == NULL && access(volume.source, F_OK) == -1) {
        hint("'mkdir %s' makes a directory of that name here", volume.source);
        fail("volume '%s': there are no named volumes", volume.source);
    }
    add_volume(options, volume);
}

/* One more TEXT as it is to the COUNT in LIST. */
static void add_text(const char ***list, int *count, const char *text)
{
    *list = grow(*list, *count, sizeof(text));
    (*list)[(*count)++] = text;
}

/* One more of the groups, which "," parts. */
static void add_groups(struct run_options *options, const char *text)
{
    char *both;

    if (asprintf(&both, "%s%s%s", options->groups, options->groups[0] ? "," : "", text) == -1)
        die("asprintf");
    if (strlen(both) >= sizeof(((struct state *)NULL)->groups))
        fail("group-add: too many groups");
    options->groups = both;
}

static const char *random_name(void)
{
    static char name[13];
    unsigned char bytes[6];

    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        die("getrandom");
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(name + 2 * i, 3, "%02x", bytes[i]);
    return name;
}

/* Is TEXT the first of two words and not the second? Any third ends the tool. */
static bool first_of_two(const char *text, const char *what, const char *first, const char *second)
{
    if (strcmp(text, first) != 0 && strcmp(text, second) != 0)
        fail("%s '%s': is neither %s nor %s", what, text, first, second);
    return strcmp(text, first) == 0;
}

/*
 * In a box of an ordinary user all files but their own belong to nobody, and nobody there can be
 * their owner. Rather than show them so, refuse.
 */
static void check_volumes(const struct run_options *options)
{
    struct stat status;

    for (int i = 0; i < options->volume_count && geteuid() != 0; i++) {
        const char *source = options->volumes[i].source;
        if (source == NULL || stat(source, &status) == -1 || status.st_uid == geteuid())
            continue;
        hint("root can give a box files of all users, each with its owner");
        fail("volume %s: belongs to user %u; an ordinary user's box has that user's files alone",
             source, status.st_uid);
    }
}

static void check_names(const struct run_options *options)
{
    if (strcmp(options->network, "none") != 0)
        return;
    if (options->dns_count > 0)
        fail("--dns needs --network bridge or host: without a network nobody can be asked");
    for (int i = 0; i < options->host_count; i++)
        if (strstr(options->hosts[i], "host-gateway") != NULL)
            fail("--add-host '%s' needs --network bridge or host", options->hosts[i]);
}

static void set_defaults(struct run_options *options)
{
    options->keep = !options->remove && (options->detach || options->name != NULL);
    if (options->name == NULL)
        options->name = random_name();
    if (!state_name_is_valid(options->name))
        fail("name '%s': a name is made of letters, digits, '_', '.' and '-', 63 at most",
             options->name);
    if (options->hostname == NULL)
        options->hostname = options->name;
    uts_check_name(options->hostname, "host name");
    if (options->network == NULL)
        options->network = geteuid() == 0 ? "bridge" : "none";
    if (strcmp(options->network, "none") != 0 && strcmp(options->network, "host") != 0 &&
        strcmp(options->network, "bridge") != 0)
        fail("network '%s': is not bridge, none or host", options->network);
    bool bridge = strcmp(options->network, "bridge") == 0;
    if (bridge && geteuid() != 0)
        fail("network bridge: only root can make links on the host; an ordinary user has 'none'");
    if (!bridge && (options->port_count > 0 || options->address != NULL))
        fail("--publish and --ip need --network bridge");
    check_names(options);
    if (options->groups[0] != '\0' && geteuid() != 0)
        fail("--group-add: an ordinary user's box has that user's group alone");
    if (!options->user_namespace && geteuid() != 0)
        fail("--userns host: an ordinary user can make a box only with a user namespace");
    targets_check(options->volumes, options->volume_count);
    check_volumes(options);
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
    CPUS,
    CPUSET,
    PIDS,
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
    {"cpuset-cpus", required_argument, NULL, CPUSET},
    {"pids-limit", required_argument, NULL, PIDS},
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

/* Options that only say yes. False if OPTION is none of them. */
static bool take_flag(struct run_options *options, int option)
{
    switch (option) {
    case 'd':
        options->detach = true;
        return true;
    case 'i':
        options->interactive = true;
        return true;
    case 't':
        options->terminal = true;
        return true;
    case RM:
        options->remove = true;
        return true;
    case READ_ONLY:
        options->read_only = true;
        return true;
    case INIT:
        options->init = true;
        return true;
    default:
        return false;
    }
}

/* Options whose value is kept as it is. Where OPTION's goes, or NULL if it is none of them. */
static const char **place_of(struct run_options *options, int option)
{
    switch (option) {
    case NAME:
        return &options->name;
    case HOSTNAME:
        return &options->hostname;
    case 'w':
        return &options->workdir;
    case 'u':
        return &options->user;
    case NETWORK:
        return &options->network;
    case IP:
        return &options->address;
    case 'm':
        return &options->memory;
    case CPUS:
        return &options->cpus;
    case CPUSET:
        return &options->cpuset;
    case PIDS:
        return &options->pids;
    case ENTRYPOINT:
        return &options->entrypoint;
    default:
        return NULL;
    }
}

static void take_option(struct run_options *options, int option)
{
    const char **place = place_of(options, option);

    if (place != NULL) {
        *place = optarg;
    } else if (option == 'e') {
        environment_add(&options->environment, optarg);
    } else if (option == ENV_FILE) {
        environment_add_file(&options->file_environment, optarg);
    } else if (option == 'v') {
        take_volume(options, optarg);
    } else if (option == TMPFS) {
        add_volume(options, tmpfs_parse(optarg));
    } else if (option == 'p') {
        add_text(&options->ports, &options->port_count, optarg);
    } else if (option == DNS) {
        add_text(&options->dns, &options->dns_count, optarg);
    } else if (option == ADD_HOST) {
        hosts_check(optarg);
        add_text(&options->hosts, &options->host_count, optarg);
    } else if (option == GROUP_ADD) {
        add_groups(options, optarg);
    } else if (option == SHM_SIZE) {
        options->shm_size = limit_bytes(optarg, "shm-size", 1);
    } else if (option == ULIMIT) {
        rlimit_add(&options->limits, optarg);
    } else if (option == CAP_ADD) {
        capability_add(&options->capabilities, optarg);
    } else if (option == CAP_DROP) {
        capability_drop(&options->capabilities, optarg);
    } else if (option == SECCOMP) {
        options->seccomp = first_of_two(optarg, "seccomp", "default", "off");
    } else if (option == USERNS) {
        options->user_namespace = first_of_two(optarg, "userns", "auto", "host");
    } else if (option == STOP_SIGNAL) {
        options->stop_signal = signal_option(optarg);
    } else if (option == STOP_TIMEOUT) {
        options->stop_timeout = (int)tool_number(optarg, "stop timeout", 0, LONGEST_STOP);
    } else if (option == BOOT_OFFSET) {
        options->boot_offset = tool_number(optarg, "boot time offset", INT32_MIN, INT32_MAX);
        options->has_offset = true;
    } else if (option == PID) { /* docker's, and else an abbreviation of --pids-limit */
        fail("--pid %s: a box always has processes of its own", optarg);
    } else if (!take_flag(options, option)) {
        options->view |= option == TOOL_VIEW;
        tool_option(option);
    }
}

struct run_options parse_run_options(int argc, char **argv)
{
    struct run_options options = {
        .groups = "", .seccomp = true, .user_namespace = true, .stop_timeout = 10};
    int option;

    tool_start(argv, "full run", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS "dite:w:u:v:p:m:", long_options, NULL)) !=
           -1) {
        if (option == '?')
            absent_option(argv[optind - 1]);
        take_option(&options, option);
    }
    if (optind == argc)
        fail("an image or a root directory is missing: full run IMAGE|DIR [COMMAND]");
    options.source = argv[optind++];
    if (options.entrypoint != NULL && options.entrypoint[0] != '\0')
        argv[--optind] = (char *)options.entrypoint; /* in front of its arguments */
    options.command = optind < argc ? argv + optind : NULL;
    environment_append(&options.file_environment, &options.environment); /* --env wins */
    options.environment = options.file_environment;
    set_defaults(&options);
    return options;
}
