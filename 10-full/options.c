#define _GNU_SOURCE
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/mount.h"
#include "../07-net/network.h"
#include "../08-cgroup/limit.h"
#include "box.h"
#include "etc.h"
#include "state.h"

static const char usage[] =
    "Usage: full run [OPTION]... [--] IMAGE|DIR [COMMAND [ARG]...]\n"
    "Run COMMAND in a new box whose root is a layer on top of IMAGE, or DIR (with a\n"
    "'/' in it, or here). Default: the command that the image names, or /bin/sh.\n\n"
    "  -d, --detach           let it run in the background, and print its name\n"
    "  -i, --interactive      let COMMAND read what is typed at a terminal; other\n"
    "                         input it reads anyway (default: no; with -d nothing)\n"
    "  -t, --tty              a terminal of its own\n"
    "      --rm               forget it when it ends (default without --name and -d)\n"
    "      --name=NAME        name the box (default: twelve random digits)\n"
    "      --hostname=NAME    host name inside (default: the box's name)\n"
    "  -e, --env=NAME[=VALUE] set a variable, or pass your own on; repeatable\n"
    "                         (default: PATH, HOME, HOSTNAME, TERM, the image's)\n"
    "      --env-file=FILE    the same for each line of FILE; repeatable, --env wins\n"
    "      --entrypoint=FILE  run FILE, COMMAND as arguments (default: the image's);\n"
    "                         \"\": COMMAND alone\n"
    "  -w, --workdir=DIR      directory to run in, made if missing (default: image's)\n"
    "  -u, --user=USER[:GROUP]\n"
    "                         the user, looked up inside (default: the image's)\n"
    "      --group-add=GROUP  one more group for it, as for --user; repeatable\n"
    "  -v, --volume=SRC:DST[:ro]\n"
    "                         let SRC appear at DST, made if missing; :ro: read-only,\n"
    "                         which --cap-add SYS_ADMIN can undo; :z and :Z, as docker\n"
    "                         has them, do nothing; repeatable\n"
    "      --tmpfs=DST[:OPTION,...]\n"
    "                         a new, empty tmpfs at DST, made if missing; repeatable\n"
    "                         OPTION: size=, mode=, uid=, gid=, ro, rw, exec or dev\n"
    "                         (default: rw,noexec,nodev,mode=1777); always nosuid\n"
    "      --shm-size=SIZE    how much fits into /dev/shm (default: 64m)\n"
    "      --read-only        make the root read-only (default: writable)\n"
    "  -p, --publish=[[ADDRESS:][PORT]:]BOXPORT[/tcp|/udp]\n"
    "                         a port of the host leads to one of the box; repeatable\n"
    "                         (default: a free one, see 'full ps'); 80-83 is a range\n"
    "      --network=KIND     bridge: its own link; none: loopback; host: the host's\n"
    "                         (default: bridge for root, none for an ordinary user)\n"
    "      --ip=ADDRESS       address on the bridge (default: a free one)\n"
    "      --dns=ADDRESS      ask this name server; repeatable (default: the host's)\n"
    "      --add-host=NAME:ADDRESS\n"
    "                         line in /etc/hosts; host-gateway: the host; repeatable\n"
    "  -m, --memory=SIZE      so much, such as 64m or 1.5g (default, 0: no limit)\n"
    "      --cpus=NUMBER      at most this many processors, as 0.5 (default: all)\n"
    "      --cpuset-cpus=LIST on these processors only (default: all)\n"
    "      --pids-limit=N     at most N processes (default, 0, -1: no limit)\n"
    "      --init             PID 1 is a small init (default: PID 1 is COMMAND, unless\n"
    "                         root has no cgroup to end all others by); it passes on\n"
    "                         HUP, INT, QUIT, TERM, USR1, USR2 and WINCH only\n"
    "      --cap-add=NAME     keep a capability, or ALL; repeatable; SYS_ADMIN can\n"
    "                         mount, and so undo :ro, --read-only and /proc's covers\n"
    "      --cap-drop=NAME    drop a capability, or ALL; repeatable\n"
    "      --seccomp=WHAT     default: a filter; off: none (default: default)\n"
    "      --userns=WHAT      auto: its own user namespace (default); host: none\n"
    "      --ulimit=NAME=SOFT[:HARD]\n"
    "                         a resource limit, such as nofile=1024; repeatable\n"
    "      --stop-signal=SIG  what 'full stop' sends (default: the image's, or TERM)\n"
    "      --stop-timeout=N   seconds from 'full stop' to KILL (default: 10)\n"
    "@\n"
    "An ordinary user has no bridge network, and only limits that were delegated.\n\n"
    "Example: full run -it --hostname bird ./rootfs\n\n"
    "The same in the shell, but for much detail:\n"
    "  unshare --mount --uts --ipc --pid --net --fork chroot rootfs /bin/bash --login\n"
    "  mount -t proc proc /proc\n";

static bool is(const char *name, const char *other)
{
    return strcmp(name, other) == 0;
}

static struct option options[64];
static int rows;                /* how many of them are the command's own */
static char flags[64], *called; /* the command's name as typed */

/* A line such as "-m, --memory=SIZE" becomes a row of OPTIONS and a letter in FLAGS. */
static void options_begin(char **argv, const char *help)
{
    static const struct option common[] = {TOOL_OPTIONS};
    static char tool[32];

    optind = 0; /* start afresh: getopt(3) */
    sscanf(help, "Usage: %31[^[]", tool);
    tool[strlen(tool) - 1] = '\0';
    called = argv[0];
    rows = 0;
    tool_start(argv, tool, help);
    /* What stands behind a command is its own: the "+" of TOOL_FLAGS. */
    strcpy(flags, &TOOL_FLAGS[strstr(help, "[COMMAND") == NULL]);
    for (; *help != '\0'; help += strcspn(help, "\n") + 1) {
        char name[32], next, letter;
        bool short_too = sscanf(help, " -%c, --%31[a-z-]%c", &letter, name, &next) == 3;
        if (!short_too && sscanf(help, " --%31[a-z-]%c", name, &next) != 2)
            continue;
        int value = short_too ? letter : TOOL_OWN + rows;
        options[rows++] = (struct option){strdup(name), next == '=', NULL, value};
        if (short_too)
            sprintf(flags + strlen(flags), next == '=' ? "%c:" : "%c", letter);
    }
    memcpy(options + rows, common, sizeof(common));
}

/* The name of the next option, with what it takes in optarg; NULL at the end. */
static const char *options_next(int argc, char **argv)
{
    const struct option *row = options;
    int option = getopt_long(argc, argv, flags, options, NULL);

    if (option == -1) {
        argv[0] = called; /* 'full exec' may have to execute the whole line again */
        return NULL;
    }
    while (row->name != NULL && row->val != option)
        row++;
    if (row >= options + rows)
        tool_option(option);
    return row->name;
}

const char *options_one(int argc, char **argv, const char *help, const char *own)
{
    const char *given = NULL, *name;

    options_begin(argv, help);
    while ((name = options_next(argc, argv)) != NULL)
        if (is(name, own))
            given = optarg != NULL ? optarg : "";
    return given;
}

char **options_operands(int argc, char **argv, int min, int max)
{
    if (argc - optind < min || argc - optind > max) {
        hint("see 'full %s --help'", argv[0]);
        fail("too %s operands", argc - optind < min ? "few" : "many");
    }
    return argv + optind;
}

/* Add "NAME=VALUE" to LIST, or "NAME" with the value that it has here. */
static void add_variable(char ***list, const char *text)
{
    size_t name = strcspn(text, "= \t");
    char *variable = (char *)text;

    if (name == 0 || (text[name] != '=' && text[name] != '\0'))
        fail("invalid variable '%s': expected NAME=VALUE or NAME", text);
    if (text[name] == '\0' && getenv(text) == NULL)
        return;
    if (text[name] == '\0' && asprintf(&variable, "%s=%s", text, getenv(text)) == -1)
        die("asprintf");
    list_add(list, variable);
}

/* The same for each line of the file PATH but comments. As with docker, quotes are kept. */
static void add_variables(char ***list, const char *path)
{
    FILE *file = fopen(path, "re");
    size_t size = 0;

    for (char *line = NULL; file != NULL && getline(&line, &size, file) != -1; line = NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        char *text = line + strspn(line, " \t");
        if (text[0] != '\0' && text[0] != '#')
            add_variable(list, text);
    }
    if (file == NULL || ferror(file))
        die("env file %s", path);
    fclose(file);
}

static void add_volume(struct spec *spec, const char *text, struct bind volume)
{
    if (spec->volume_count == DESCRIPTORS - LAYERS_TREES)
        fail("a box can have %d volumes at most", spec->volume_count);
    if (volume.source != NULL && access(volume.source, F_OK) == -1) {
        hint("create it first: mkdir %s; docker's named volumes do not exist here", volume.source);
        die("volume %s", volume.source);
    }
    list_add(&spec->mounts, text);
    spec->volumes = realloc(spec->volumes, ((size_t)spec->volume_count + 1) * sizeof(volume));
    if (spec->volumes == NULL)
        die("realloc");
    spec->volumes[spec->volume_count++] = volume;
}

/* Over the /dev/shm of chapter 4, whose size is the usual one. */
static void add_shm(struct spec *spec, const char *size)
{
    char *text;

    if (asprintf(&text, "/dev/shm:size=%lld", limit_bytes(size, "shm-size", 1)) == -1)
        die("asprintf");
    add_volume(spec, text, bind_parse(text, true));
}

static const char *const resources[RLIM_NLIMITS] = {
    [RLIMIT_AS] = "as",           [RLIMIT_CORE] = "core",
    [RLIMIT_CPU] = "cpu",         [RLIMIT_DATA] = "data",
    [RLIMIT_FSIZE] = "fsize",     [RLIMIT_LOCKS] = "locks",
    [RLIMIT_MEMLOCK] = "memlock", [RLIMIT_MSGQUEUE] = "msgqueue",
    [RLIMIT_NICE] = "nice",       [RLIMIT_NOFILE] = "nofile",
    [RLIMIT_NPROC] = "nproc",     [RLIMIT_RSS] = "rss",
    [RLIMIT_RTPRIO] = "rtprio",   [RLIMIT_RTTIME] = "rttime",
    [RLIMIT_STACK] = "stack",     [RLIMIT_SIGPENDING] = "sigpending",
};

/*
 * A hard limit that the box may not raise itself is raised for this process, and so for its
 * children. If that is denied here, the box will report it.
 */
void options_limit(struct spec *spec, const char *text)
{
    char *hard = strdupa(text);
    const char *name = strsep(&hard, "="), *soft = strsep(&hard, ":");
    struct rlimit own;
    int i = 0;

    while (i < RLIM_NLIMITS && strcmp(resources[i], name) != 0)
        i++;
    if (i == RLIM_NLIMITS || soft == NULL)
        fail("invalid ulimit '%s': expected NAME=SOFT[:HARD] with a NAME like nofile or core",
             text);
    spec->limited[i] = resources[i];
    spec->limits[i].rlim_cur = (rlim_t)tool_number(soft, "soft limit", -1, INT64_MAX);
    spec->limits[i].rlim_max = (rlim_t)tool_number(hard ? hard : soft, "hard limit", -1, INT64_MAX);
    if (getrlimit(i, &own) == 0 && spec->limits[i].rlim_max > own.rlim_max) {
        own.rlim_max = spec->limits[i].rlim_max;
        setrlimit(i, &own);
    }
}

/* Is TEXT the first of two words and not the second? Any third ends the tool. */
static bool first_of_two(const char *text, const char *what, const char *first, const char *second)
{
    if (strcmp(text, first) != 0 && strcmp(text, second) != 0)
        fail("invalid %s '%s': expected %s or %s", what, text, first, second);
    return strcmp(text, first) == 0;
}

/* Those of chapters 7 and 8. */
static void take_resource(struct spec *spec, const char *name)
{
    struct cgroup_limits *limits = &spec->plan.limits;

    if (is(name, "publish"))
        network_read_publish(&spec->net, optarg);
    else if (is(name, "ip"))
        network_read_address(optarg, "ip", &spec->net.lease->address);
    else if (is(name, "dns"))
        network_read_dns(&spec->net, optarg);
    else if (is(name, "cpuset-cpus"))
        limit_file(limits, "cpuset.cpus", optarg);
    else if (is(optarg, "0") || is(optarg, "-1"))
        return; /* with docker, they stand for no limit */
    else if (is(name, "memory"))
        limit_size(limits, "memory.max", optarg, LIMIT_MIN_MEMORY);
    else if (is(name, "cpus"))
        limit_cpus(limits, optarg);
    else if (is(name, "pids-limit"))
        limit_file(limits, "pids.max", optarg);
}

static void take(struct spec *spec, const char *name)
{
    if (spec_set(spec, name, optarg))
        return;
    if (is(name, "read-only"))
        spec->read_only = true;
    else if (is(name, "view"))
        spec->view = true;
    else if (is(name, "env"))
        add_variable(&spec->environment, optarg);
    else if (is(name, "env-file"))
        add_variables(&spec->variables, optarg);
    else if (is(name, "group-add"))
        list_add(&spec->groups, optarg);
    else if (is(name, "volume"))
        add_volume(spec, optarg, bind_parse(optarg, false));
    else if (is(name, "tmpfs"))
        add_volume(spec, optarg, bind_parse(optarg, true));
    else if (is(name, "shm-size"))
        add_shm(spec, optarg);
    else if (is(name, "add-host"))
        list_add(&spec->hosts, hosts_check(optarg));
    else if (is(name, "cap-add"))
        spec->cap_add |= capability_named(optarg);
    else if (is(name, "cap-drop"))
        spec->cap_drop |= capability_named(optarg);
    else if (is(name, "seccomp"))
        spec->seccomp = first_of_two(optarg, "seccomp", "default", "off");
    else if (is(name, "userns"))
        spec->user_namespace = first_of_two(optarg, "userns", "auto", "host");
    else if (is(name, "ulimit")) {
        list_add(&spec->ulimits, optarg);
        options_limit(spec, optarg);
    } else if (is(name, "stop-signal"))
        spec->stop_signal = signal_number(optarg, "signal");
    else if (is(name, "stop-timeout"))
        spec->stop_timeout = (int)tool_number(optarg, "stop timeout", 0, MAX_STOP);
    else if (optarg != NULL)
        take_resource(spec, name);
}

void options_read(struct spec *spec, int argc, char **argv, const char *help)
{
    const char *name;

    options_begin(argv, help);
    while ((name = options_next(argc, argv)) != NULL)
        take(spec, name);
}

static void check_network(const struct spec *spec)
{
    bool bridge = strcmp(spec->network, "bridge") == 0;

    if (!bridge && strcmp(spec->network, "none") != 0 && strcmp(spec->network, "host") != 0)
        fail("invalid network '%s': expected bridge, none or host", spec->network);
    if (bridge && geteuid() != 0)
        fail("network bridge: only root can make links on the host; an ordinary user has 'none'");
    if (!bridge && (spec->net.port_count > 0 || spec->net.lease->address != 0))
        fail("--publish and --ip need --network bridge");
}

static void set_defaults(struct spec *spec)
{
    char *name = NULL;
    uint64_t bits = 0;

    spec->is_named = spec->name != NULL;
    spec->keep = !spec->rm && (spec->detach || spec->is_named);
    spec->created = time(NULL);
    if (getrandom(&bits, 6, 0) != 6 || asprintf(&name, "%012jx", (uintmax_t)bits) == -1)
        die("getrandom");
    spec->name = spec->is_named ? network_check_name("box name", spec->name, 63) : name;
    if (spec->hostname == NULL)
        spec->hostname = spec->name;
    if (spec->network == NULL)
        spec->network = geteuid() == 0 ? "bridge" : "none";
    check_network(spec);
    if (!spec->user_namespace && geteuid() != 0)
        fail("--userns host: an ordinary user can make a box only with a user namespace");
    if (spec->groups != NULL && geteuid() != 0)
        fail("--group-add: an ordinary user's box has that user's group alone");
}

int command_run(int argc, char **argv)
{
    static struct spec box; /* what it points to is kept until the end */
    struct spec *spec = &box;

    spec->seccomp = spec->user_namespace = true;
    spec->stop_timeout = 10;
    network_start(&spec->net);
    options_read(spec, argc, argv, usage);
    if (optind == argc)
        fail("an image or a root directory is missing: full run IMAGE|DIR [COMMAND]");
    spec->source = argv[optind++];
    if (spec->entrypoint != NULL && spec->entrypoint[0] != '\0')
        argv[--optind] = (char *)spec->entrypoint; /* in front of its arguments */
    spec->command = optind < argc ? argv + optind : NULL;
    set_defaults(spec);
    return container_run(spec);
}
