#include "inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../01-chroot/tool.h"
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

/* Where the box's mounts come from: the last part of a line, and the fifth field. See proc(5). */
static void draw_mounts(pid_t pid)
{
    char path[64], line[4096];

    snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
    FILE *mounts = fopen(path, "re");
    while (mounts != NULL && fgets(line, sizeof(line), mounts) != NULL) {
        char within[256], place[256], type[64], source[256], from[600];
        const char *rest = strstr(line, " - ");
        if (sscanf(line, "%*d %*d %*s %255s %255s", within, place) != 2 || rest == NULL ||
            sscanf(rest, " - %63s %255s", type, source) != 2)
            continue;
        bool whole = strcmp(within, "/") == 0;
        snprintf(from, sizeof(from), "%s%s%s", type, whole ? "" : " ", whole ? "" : within);
        pair("mount", from, "-->", place);
    }
    if (mounts != NULL)
        fclose(mounts);
}

static void draw(const struct state *state)
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
    if (state->ports[0] != '\0')
        pair("ports", state->ports, "-->", state->address);
    struct use use = stats_read(state);
    if (state->cgroup[0] != '\0')
        pair("cgroup", state->cgroup, "-->", "/");
    pair("cpu", "", "   ", use.cpu);
    pair("memory", "", "   ", use.memory);
    pair("processes", "", "   ", use.pids);
    if (state->layer[0] != '\0')
        pair("layer", state->layer, "-->", "what the box has written");
    draw_mounts(state->pid);
    printf("\n");
}

int command_inspect(int argc, char **argv)
{
    enum { JSON = TOOL_OWN };
    static const struct option long_options[] = {{"json", no_argument, NULL, JSON}, TOOL_OPTIONS};
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
    if (state_read(argv[optind], &state) < 0)
        return EXIT_TOOL;
    if (json) {
        json_print_state(&state, "");
        printf("\n");
        return EXIT_SUCCESS;
    }
    if (!state.alive || state.pid == 0)
        fail("box %s: is not running; with --json what is known of it is printed", state.name);
    draw(&state);
    if (fflush(stdout) != 0)
        die("write");
    return join_view(&state);
}
