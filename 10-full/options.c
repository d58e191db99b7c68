#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../01-chroot/tool.h"
#include "../02-uts/uts.h"

static const char usage[] =
    "Usage: full run [OPTION]... [--] ROOTFS [COMMAND [ARG]...]\n"
    "Run COMMAND (/bin/sh if none is given) in a box whose root is the directory ROOTFS.\n"
    "\n"
    "      --hostname=NAME    host name inside (default: twelve random digits)\n"
    "  -v, --volume=SRC:DST[:ro]\n"
    "                         let SRC appear at DST, made if missing; with :ro read-only; "
    "repeatable\n"
    "  -e, --env=NAME[=VALUE] set a variable, or hand down one's own; repeatable (default: only\n"
    "                         PATH, HOME, HOSTNAME and TERM are set)\n"
    "  -w, --workdir=DIR      working directory inside (default: /)\n"
    "      --read-only        make the root read-only (default: writable)\n"
    "      --init             PID 1 is a small init and COMMAND its child (default: COMMAND "
    "itself)\n"
    "@\n"
    "As an ordinary user the box gets a user namespace in which you are root.\n"
    "\n"
    "Example: full run --hostname bird rootfs /bin/sh\n"
    "\n"
    "The same in the shell, but for much detail:\n"
    "  unshare --mount --uts --ipc --pid --fork chroot ./rootfs /bin/bash --login\n"
    "  mount -t proc proc /proc\n";

/* One more element at the end of an array that grows; COUNT is what it holds now. */
static void *grow(void *array, int count, size_t size)
{
    void *larger = realloc(array, ((size_t)count + 1) * size);
    if (larger == NULL)
        die("realloc");
    return larger;
}

static void add_volume(struct run_options *options, const char *text)
{
    options->volumes = grow(options->volumes, options->volume_count, sizeof(struct bind));
    options->volumes[options->volume_count++] = bind_parse(text);
}

/* "NAME=VALUE" as it is; "NAME" with the value it has here, and nothing if it has none. */
static void add_variable(struct run_options *options, char *text)
{
    size_t name = strcspn(text, "=");
    char *variable = text;

    if (name == 0)
        fail("variable '%s': is not NAME or NAME=VALUE", text);
    if (text[name] == '\0') {
        const char *value = getenv(text);
        if (value == NULL)
            return;
        if (asprintf(&variable, "%s=%s", text, value) == -1)
            die("asprintf");
    }
    options->environment = grow(options->environment, options->environment_count, sizeof(char *));
    options->environment[options->environment_count++] = variable;
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

struct run_options parse_run_options(int argc, char **argv)
{
    enum { HOSTNAME = TOOL_OWN, READ_ONLY, INIT };
    static const struct option long_options[] = {{"hostname", required_argument, NULL, HOSTNAME},
                                                 {"volume", required_argument, NULL, 'v'},
                                                 {"env", required_argument, NULL, 'e'},
                                                 {"workdir", required_argument, NULL, 'w'},
                                                 {"read-only", no_argument, NULL, READ_ONLY},
                                                 {"init", no_argument, NULL, INIT},
                                                 TOOL_OPTIONS};
    struct run_options options = {.workdir = "/"};
    int option;

    tool_start(argv, "full run", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS "v:e:w:", long_options, NULL)) != -1) {
        if (option == HOSTNAME)
            options.hostname = optarg;
        else if (option == 'v')
            add_volume(&options, optarg);
        else if (option == 'e')
            add_variable(&options, optarg);
        else if (option == 'w')
            options.workdir = optarg;
        else if (option == READ_ONLY)
            options.read_only = true;
        else if (option == INIT)
            options.init = true;
        else
            tool_option(option);
    }
    if (optind == argc)
        fail("a root directory is missing: full run ROOTFS [COMMAND]");
    options.root = argv[optind++];
    if (options.hostname == NULL)
        options.hostname = random_name();
    uts_check_name(options.hostname, "host name");
    options.command = tool_command(argc, argv);
    return options;
}
