#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../06-user/number.h"
#include "json_print.h"
#include "log.h"
#include "signals.h"
#include "state.h"

enum { FOREVER = -1, LONGEST_END = 10000 }; /* milliseconds */

const char *command_parse(int argc, char **argv, const char *name, const char *usage,
                          struct option own)
{
    struct option options[] = {TOOL_OPTIONS, {NULL, 0, NULL, 0}};
    const char *given = NULL;
    char flags[16];
    int option;

    options[sizeof(options) / sizeof(options[0]) - 2] = own; /* where the list ended */
    snprintf(flags, sizeof(flags), TOOL_FLAGS "%c%s", own.val, own.has_arg ? ":" : "");
    tool_start(argv, name, usage);
    while ((option = getopt_long(argc, argv, flags, options, NULL)) != -1) {
        if (option == own.val)
            given = own.has_arg ? optarg : "";
        else
            tool_option(option);
    }
    return given;
}

/* The same for a command that takes names of boxes, of which there has to be one. */
static const char *parse(int argc, char **argv, const char *name, const char *usage,
                         struct option own)
{
    const char *given = command_parse(argc, argv, name, usage, own);

    if (optind == argc)
        fail("the name of a box is missing");
    return given;
}

/* The box NAME. If there is none, the tool ends. */
static struct state box_named(const char *name)
{
    struct state state;

    if (state_read(name, &state) < 0)
        exit(EXIT_TOOL);
    return state;
}

/* The same, ready to be sent signals if it lives. */
static struct state box_ready(const char *name)
{
    struct state state;

    if (state_await(name, &state) < 0)
        exit(EXIT_TOOL);
    return state;
}

static void send_signal(const struct state *state, int signal)
{
    int process = state_process(state);

    if (process == -1)
        return; /* it has ended meanwhile */
    if (syscall(SYS_pidfd_send_signal, process, signal, NULL, 0) == -1 && errno != ESRCH)
        die("signal %d to box %s", signal, state->name);
    close(process);
}

/*
 * The monitor of NAME as a descriptor, pidfd_open(2); -1 if it has ended. To be opened before the
 * state is read: later the name may be another box's, for whose end nobody wants to wait.
 */
static int open_monitor(const char *name)
{
    pid_t monitor = state_name_is_valid(name) ? state_monitor(name) : 0;

    if (monitor == -1)
        fail("box %s: is of a pid namespace above this one: its end can't be seen from here", name);
    int process = monitor != 0 ? (int)syscall(SYS_pidfd_open, monitor, 0) : -1;
    if (process != -1 && state_monitor(name) != monitor) { /* ended, its number another's by now */
        close(process);
        return -1;
    }
    return process;
}

/* Wait until PROCESS has ended, MILLISECONDS at most, and close it. False if the time was up. */
static bool wait_for(int process, int milliseconds)
{
    struct pollfd ended = {.fd = process, .events = POLLIN};

    if (process == -1)
        return true;
    int got = poll(&ended, 1, milliseconds);
    if (got != 0)
        close(process);
    return got != 0;
}

/*
 * The first process of the box STATE has ended, or been killed: see to the rest. Its monitor undoes
 * what the box needed, and may have been stopped, as by Ctrl-Z. If it can't be made to go on, do
 * its work here.
 */
static void finish(const struct state *state, int monitor)
{
    if (!wait_for(state_process(state), LONGEST_END)) {
        hint("a stopped 'full exec' keeps its command, and so the box, from ending: continue it");
        fail("box %s: process %d was killed, but doesn't end", state->name, state->pid);
    }
    syscall(SYS_pidfd_send_signal, monitor, SIGCONT, NULL, 0);
    if (wait_for(monitor, LONGEST_END))
        return;
    syscall(SYS_pidfd_send_signal, monitor, SIGKILL, NULL, 0);
    if (!wait_for(monitor, LONGEST_END))
        fail("box %s: its process was killed, but its monitor doesn't end", state->name);
    state_clear_dead();
}

/* --- ps --------------------------------------------------------------------------------------- */

static const char ps_usage[] =
    "Usage: full ps [OPTION]...\n"
    "List the boxes that run.\n"
    "\n"
    "  -a, --all              also those that have ended (default: not)\n"
    "      --json             as JSON, all fields (default: a table)\n"
    "@\n"
    "\n"
    "Example: full ps -a\n"
    "\n"
    "The same in the shell:\n"
    "  cat /run/ten-steps/boxes/*/state; lsns --type pid\n";

/* "3 minutes" and the like. */
static const char *duration(time_t seconds)
{
    static char text[32];
    static const struct {
        time_t seconds;
        const char *name;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    size_t i = 0;

    if (seconds < 0)
        seconds = 0;
    while (i < 3 && seconds < units[i].seconds)
        i++;
    long long number = (long long)(seconds / units[i].seconds);
    snprintf(text, sizeof(text), "%lld %s%s", number, units[i].name, number == 1 ? "" : "s");
    return text;
}

static void print_row(const struct state *state)
{
    char status[64];

    if (state->alive)
        snprintf(status, sizeof(status), "up %s", duration(time(NULL) - state->created));
    else
        snprintf(status, sizeof(status), "exited (%d) %s ago", state->status,
                 duration(time(NULL) - state->ended));
    printf("%-16s %-16.16s %-24.24s %-24s %-15s %s\n", state->name, state->source, state->command,
           status, state->address, state->ports);
}

int command_ps(int argc, char **argv)
{
    enum { JSON = TOOL_OWN };
    static const struct option long_options[] = {
        {"all", no_argument, NULL, 'a'}, {"json", no_argument, NULL, JSON}, TOOL_OPTIONS};
    bool all = false, json = false;
    struct state state;
    char **names;
    int option, shown = 0;

    tool_start(argv, "full ps", ps_usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS "a", long_options, NULL)) != -1) {
        if (option == 'a')
            all = true;
        else if (option == JSON)
            json = true;
        else
            tool_option(option);
    }
    int count = state_list(&names);
    if (json)
        printf("[");
    else
        printf("%-16s %-16s %-24s %-24s %-15s %s\n", "NAME", "SOURCE", "COMMAND", "STATUS",
               "ADDRESS", "PORTS");
    for (int i = 0; i < count; free(names[i++])) {
        /* A box may end and be forgotten between the list and here: then it isn't there. */
        if (state_monitor(names[i]) == 0 && !all)
            continue;
        if (state_read(names[i], &state) < 0)
            continue;
        if (json) {
            printf(shown++ > 0 ? ",\n {" : "{");
            json_print_state(&state);
            printf("}");
        } else {
            print_row(&state);
        }
    }
    if (json)
        printf("]\n");
    free(names);
    return EXIT_SUCCESS;
}

/* --- logs ------------------------------------------------------------------------------------- */

static const char logs_usage[] =
    "Usage: full logs [OPTION]... BOX\n"
    "Print what a detached box has written, the last 10 to 20 MB of it.\n"
    "\n"
    "  -f, --follow           go on until the box ends (default: stop)\n"
    "@\n"
    "\n"
    "Example: full logs -f web\n"
    "\n"
    "The same in the shell:\n"
    "  tail -f /run/ten-steps/boxes/web/log\n";

int command_logs(int argc, char **argv)
{
    const struct option own = {"follow", no_argument, NULL, 'f'};
    bool following = parse(argc, argv, "full logs", logs_usage, own) != NULL;
    char path[1024];

    struct state state = box_named(argv[optind]);
    state_path(state.name, "log", path, sizeof(path));
    log_print(path, following ? open_monitor(state.name) : -1);
    return EXIT_SUCCESS;
}

/* --- stop, kill, wait, rm --------------------------------------------------------------------- */

static const char stop_usage[] =
    "Usage: full stop [OPTION]... BOX...\n"
    "End boxes: send each its stop signal, and SIGKILL if that has not ended it in time.\n"
    "'full run --stop-signal --stop-timeout' and the image choose both (default: TERM).\n"
    "\n"
    "  -t, --time=SECONDS     how long to wait (default: --stop-timeout, or 10)\n"
    "@\n"
    "\n"
    "Example: full stop -t 3 web\n"
    "\n"
    "The same in the shell:\n"
    "  kill -TERM PID; sleep 10; kill -KILL PID\n";

int command_stop(int argc, char **argv)
{
    const struct option own = {"time", required_argument, NULL, 't'};
    const char *time = parse(argc, argv, "full stop", stop_usage, own);
    int given = time != NULL ? (int)tool_number(time, "time", 0, LONGEST_STOP) : -1;

    for (int i = optind; i < argc; i++) {
        int monitor = open_monitor(argv[i]);
        struct state state = box_ready(argv[i]);
        if (!state.alive)
            continue;
        int seconds = given != -1 ? given : state.stop_timeout;
        send_signal(&state, state.stop_signal);
        if (seconds > 0 && signal_was_dropped(state.pid, state.stop_signal)) {
            hint("'full run --init' starts boxes that end at once");
            (void)refuse("box %s: its PID 1 has no handler for the stop signal: SIGKILL follows "
                         "in %d second%s",
                         state.name, seconds, seconds == 1 ? "" : "s");
        }
        if (!wait_for(state_process(&state), seconds * 1000))
            send_signal(&state, SIGKILL);
        finish(&state, monitor);
        printf("%s\n", state.name);
    }
    return EXIT_SUCCESS;
}

static const char kill_usage[] = "Usage: full kill [OPTION]... BOX...\n"
                                 "Send a signal to the first process of boxes.\n"
                                 "\n"
                                 "  -s, --signal=SIGNAL    its name or number (default: KILL)\n"
                                 "@\n"
                                 "\n"
                                 "Example: full kill -s HUP web\n"
                                 "\n"
                                 "The same in the shell:\n"
                                 "  kill -HUP PID\n";

int command_kill(int argc, char **argv)
{
    const struct option own = {"signal", required_argument, NULL, 's'};
    const char *name = parse(argc, argv, "full kill", kill_usage, own);
    int signal = name != NULL ? signal_option(name) : SIGKILL;

    for (int i = optind; i < argc; i++) {
        struct state state = box_ready(argv[i]);
        if (!state.alive)
            fail("box %s: is not running", argv[i]);
        send_signal(&state, signal);
    }
    return EXIT_SUCCESS;
}

static const char wait_usage[] = "Usage: full wait [OPTION]... BOX...\n"
                                 "Wait until boxes have ended, and print their exit statuses.\n"
                                 "\n"
                                 "@\n"
                                 "\n"
                                 "Example: full wait web\n"
                                 "\n"
                                 "The same in the shell:\n"
                                 "  wait PID; echo $?\n";

/*
 * The monitor leaves the status in the lock, which stays open here when the box is forgotten. One
 * that was killed can't, and its box has gone the same way.
 */
static int wait_for_status(const char *name)
{
    char path[1024], status[16] = "";
    int lock = -1;

    if (state_name_is_valid(name)) {
        state_path(name, "lock", path, sizeof(path));
        lock = open(path, O_RDONLY | O_CLOEXEC);
    }
    int monitor = open_monitor(name);
    struct state state = box_ready(name); /* ends the tool if it isn't there */
    wait_for(state_process(&state), FOREVER);
    syscall(SYS_pidfd_send_signal, monitor, SIGCONT, NULL, 0); /* it may be stopped */
    wait_for(monitor, FOREVER);
    ssize_t got = read(lock, status, sizeof(status) - 1);
    close(lock);
    return got > 0 ? (int)strtol(status, NULL, 10) : EXIT_SIGNAL + SIGKILL;
}

int command_wait(int argc, char **argv)
{
    parse(argc, argv, "full wait", wait_usage, (struct option){NULL, 0, NULL, 0});
    for (int i = optind; i < argc; i++) {
        printf("%d\n", wait_for_status(argv[i]));
        fflush(stdout);
    }
    return EXIT_SUCCESS;
}

static const char rm_usage[] =
    "Usage: full rm [OPTION]... BOX...\n"
    "Forget boxes that have ended, with their logs and layers.\n"
    "\n"
    "  -f, --force            end those that run first (default: refuse)\n"
    "@\n"
    "\n"
    "Example: full rm -f web\n"
    "\n"
    "The same in the shell:\n"
    "  kill -KILL PID; rm -r /run/ten-steps/boxes/web\n";

int command_rm(int argc, char **argv)
{
    const struct option own = {"force", no_argument, NULL, 'f'};
    bool force = parse(argc, argv, "full rm", rm_usage, own) != NULL;
    int status = EXIT_SUCCESS;

    for (int i = optind; i < argc; i++) {
        int monitor = force ? open_monitor(argv[i]) : -1;
        struct state state = force ? box_ready(argv[i]) : box_named(argv[i]);
        if (state.alive && !force) {
            hint("'full stop %s' ends it, 'full rm -f %s' does both", argv[i], argv[i]);
            fail("box %s: is running", argv[i]);
        }
        if (state.alive) {
            send_signal(&state, SIGKILL);
            finish(&state, monitor);
        }
        if (state_forget_ended(&state) < 0)
            status = EXIT_TOOL;
    }
    return status;
}
