#include "inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../01-chroot/tool.h"
#include "../08-cgroup/group.h"
#include "../09-overlay/image.h"
#include "join.h"
#include "json_print.h"
#include "state.h"
#include "stats.h"

static const char usage[] =
    "Usage: full inspect [OPTION]... BOX\n"
    "Show a box beside its host: processes, users, network, limits and use, layers, mounts, and\n"
    "row by row what is isolated.\n"
    "\n"
    "      --json             what is known of it as JSON (default: a picture)\n"
    "@\n"
    "\n"
    "Example: full inspect web\n"
    "\n"
    "The same in the shell:\n"
    "  cat /run/ten-steps/boxes/web/state; ls -l /proc/PID/ns; cat /proc/PID/mountinfo\n";

/* One line of the picture: what it is about, and the host's side of it beside the box's. */
static void pair(const char *what, const char *host, const char *arrow, const char *box)
{
    printf("  %-9s %-32.32s %s %s\n", what, host, arrow, box);
}

static void draw_users(const struct state *state)
{
    char host[64];

    if (!state->user_namespace) {
        pair("users", "the host's", "===", "the host's: root is root");
    } else if (state->first_id == 0) {
        pair("users", "you", "-->", "root alone");
    } else {
        snprintf(host, sizeof(host), "%u to %u", state->first_id, state->first_id + 65535);
        pair("users", host, "-->", "0 to 65535");
    }
}

static void draw_ports(const struct state *state)
{
    char ports[sizeof(state->ports)], *rest = ports, *port;

    memcpy(ports, state->ports, sizeof(ports));
    while ((port = strsep(&rest, " ")) != NULL)
        if (port[0] != '\0')
            pair("port", port, "-->", state->address);
}

/* What the box's root is made of, topmost first. */
static void draw_layers(const struct state *state, const struct image *image)
{
    if (image->config.layer_count == 0)
        return;
    pair("layer", state->layer[0] != '\0' ? "on the disk" : "in memory", "-->",
         "what the box has written");
    for (size_t i = image->config.layer_count; i > 0; i--)
        pair("layer", image->config.layers[i - 1], "-->", "of the image, only read");
}

/* A mount of the box: which part of what, and where. */
struct mount {
    char within[256], place[256], type[64];
};

/* The next one in an open /proc/PID/mountinfo: its fourth and fifth field, and what comes behind
 * the dash. See proc(5). */
static bool next_mount(FILE *mounts, struct mount *mount)
{
    char line[4096];

    while (fgets(line, sizeof(line), mounts) != NULL) {
        const char *rest = strstr(line, " - ");
        if (rest != NULL &&
            sscanf(line, "%*d %*d %*s %255s %255s", mount->within, mount->place) == 2 &&
            sscanf(rest, " - %63s", mount->type) == 1)
            return true;
    }
    return false;
}

static FILE *open_mounts(const struct state *state)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/mountinfo", state->pid);
    FILE *mounts = fopen(path, "re");
    if (mounts == NULL)
        die("box %s: %s", state->name, path);
    return mounts;
}

static void draw_mounts(const struct state *state)
{
    FILE *mounts = open_mounts(state);
    struct mount mount;
    char from[512];

    while (next_mount(mounts, &mount)) {
        bool whole = strcmp(mount.within, "/") == 0;
        tool_disarm(mount.within, '?');
        tool_disarm(mount.place, '?');
        snprintf(from, sizeof(from), "%s%s%s", mount.type, whole ? "" : " ",
                 whole ? "" : mount.within);
        pair("mount", from, "-->", mount.place);
    }
    fclose(mounts);
}

static void draw(const struct state *state, const struct image *image)
{
    char host[1200], box[1200];

    printf("%-45s %s %s\n", "  HOST", "   ", "BOX");
    snprintf(box, sizeof(box), "%s, from %s", state->name, state->source);
    pair("name", "", "   ", box);
    snprintf(host, sizeof(host), "%d, watched by %d", state->pid, state_monitor(state->name));
    snprintf(box, sizeof(box), "1: %s", state->command);
    pair("process", host, "-->", box);
    draw_users(state);
    if (state->address[0] != '\0')
        pair("network", "bridge", "<->", state->address);
    draw_ports(state);
    struct use use = stats_read(state);
    if (state->cgroup[0] != '\0')
        pair("cgroup", state->cgroup, "-->", "/");
    pair("cpu", "", "   ", use.cpu);
    pair("memory", "", "   ", use.memory);
    pair("processes", "", "   ", use.pids);
    draw_layers(state, image);
    draw_mounts(state);
    printf("\n");
}

/* Numbers of namespaces, as in the links in /proc/PID/ns. See namespaces(7). */
static void print_namespaces(const struct state *state)
{
    static const char *const kinds[] = {"mnt",  "uts", "pid",    "ipc",
                                        "user", "net", "cgroup", "time"};

    printf(",\n \"namespaces\": {");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct stat host = {.st_ino = 0}, box = {.st_ino = 0};
        char path[64];
        snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
        (void)stat(path, &host);
        snprintf(path, sizeof(path), "/proc/%d/ns/%s", state->pid, kinds[i]);
        (void)stat(path, &box);
        printf("%s\"%s\": {\"host\": %ju, \"box\": %ju, \"isolated\": %s}", i > 0 ? ",\n  " : "",
               kinds[i], (uintmax_t)host.st_ino, (uintmax_t)box.st_ino,
               host.st_ino != box.st_ino ? "true" : "false");
    }
    printf("}");
}

/* Files of the box's control group, as members of an object; null is what the group hasn't. */
static void print_files(const char *group, const char *const *files, size_t count)
{
    char text[256];

    for (size_t i = 0; i < count; i++) {
        printf("%s\"%s\": ", i > 0 ? ", " : "", files[i]);
        if (group_read(group, files[i], text, sizeof(text)) == 0)
            json_print_string(text);
        else
            printf("null");
    }
}

static void print_group(const char *group)
{
    static const char *const limits[] = {"cpu.max", "cpuset.cpus", "memory.max", "pids.max"};
    static const char *const use[] = {"memory.current", "pids.current", "cpu.stat"};

    printf(",\n \"limits\": {");
    print_files(group, limits, sizeof(limits) / sizeof(limits[0]));
    printf("},\n \"use\": {");
    print_files(group, use, sizeof(use) / sizeof(use[0]));
    printf("}");
}

static void print_mounts(const struct state *state)
{
    FILE *mounts = open_mounts(state);
    struct mount mount;
    const char *separator = "";

    printf(",\n \"mounts\": [");
    while (next_mount(mounts, &mount)) {
        printf("%s{\"type\": ", separator);
        json_print_string(mount.type);
        printf(", \"root\": ");
        json_print_string(mount.within);
        printf(", \"target\": ");
        json_print_string(mount.place);
        printf("}");
        separator = ",\n  ";
    }
    printf("]");
    fclose(mounts);
}

static void print_layers(const struct image *image)
{
    printf(",\n \"layers\": [");
    for (size_t i = image->config.layer_count; i > 0; i--) {
        json_print_string(image->config.layers[i - 1]);
        printf(i > 1 ? ", " : "");
    }
    printf("]");
}

static void print_json(const struct state *state, const struct image *image, bool running)
{
    printf("{");
    json_print_state(state);
    if (running) {
        print_group(state->cgroup);
        print_namespaces(state);
        print_layers(image);
        print_mounts(state);
    }
    printf("}\n");
}

int command_inspect(int argc, char **argv)
{
    enum { JSON = TOOL_OWN };
    static const struct option long_options[] = {{"json", no_argument, NULL, JSON}, TOOL_OPTIONS};
    struct image image = {.hold = -1};
    struct state state;
    bool json = false;
    int option;

    tool_start(argv, "full inspect", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS, long_options, NULL)) != -1) {
        if (option == JSON)
            json = true;
        else
            tool_option(option);
    }
    if (optind == argc)
        fail("the name of a box is missing");
    if (state_await(argv[optind], &state) < 0)
        return EXIT_TOOL;
    bool running = state.alive;
    if (!json && !running)
        fail("box %s: is not running; with --json what is known of it is printed", state.name);
    if (running && state.image[0] != '\0' && image_open(state.image, &image) != 0)
        return EXIT_TOOL;
    if (json)
        print_json(&state, &image, running);
    else
        draw(&state, &image);
    if (fflush(stdout) != 0)
        die("write");
    return json ? EXIT_SUCCESS : join_view(&state);
}
