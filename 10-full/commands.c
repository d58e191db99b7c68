#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../06-user/number.h"
#include "join.h"
#include "log.h"
#include "options.h"
#include "signals.h"
#include "state.h"

enum { FOREVER = -1, LONGEST_END = 10000 }; /* milliseconds */

const char *command_parse(int argc, char **argv, const char *name, const char *usage,
                          struct option own)
{
    struct option options[] = {TOOL_OPTIONS, {NULL, 0, NULL, 0}};
    const char *given = NULL;
    char flags[16] = TOOL_FLAGS;
    int option;

    options[sizeof(options) / sizeof(options[0]) - 2] = own; /* where the list ended */
    if (own.val < TOOL_VIEW)                                 /* a letter, too */
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
static struct spec box_named(const char *name)
{
    struct spec box;

    if (state_read(name, &box) < 0)
        exit(EXIT_TOOL);
    return box;
}

/* The same, ready to be sent signals if it lives. */
static struct spec box_ready(const char *name)
{
    struct spec box;

    if (state_await(name, &box) < 0)
        exit(EXIT_TOOL);
    return box;
}

static void send_signal(const struct spec *box, int signal)
{
    int process = state_process(box);

    if (process == -1)
        return; /* it has ended meanwhile */
    if (syscall(SYS_pidfd_send_signal, process, signal, NULL, 0) == -1 && errno != ESRCH)
        die("signal %d to box %s", signal, box->name);
    close(process);
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
 * The first process of the BOX has ended, or been killed: see to the rest. Its monitor undoes
 * what the box needed, and may have been stopped, as by Ctrl-Z. If it can't be made to go on, do
 * its work here.
 */
static void finish(const struct spec *box, int monitor)
{
    if (!wait_for(state_process(box), LONGEST_END)) {
        hint("a stopped 'full exec' keeps its command, and so the box, from ending: continue it");
        fail("box %s: process %d was killed, but doesn't end", box->name, box->pid);
    }
    syscall(SYS_pidfd_send_signal, monitor, SIGCONT, NULL, 0);
    if (wait_for(monitor, LONGEST_END))
        return;
    syscall(SYS_pidfd_send_signal, monitor, SIGKILL, NULL, 0);
    if (!wait_for(monitor, LONGEST_END))
        fail("box %s: its process was killed, but its monitor doesn't end", box->name);
    state_sweep();
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
    "  cat /run/ten-steps/boxes/*/state /var/lib/ten-steps/boxes/*/state; lsns --type pid\n";

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

/* Texts that others have chosen are cut, and made harmless: a terminal obeys. */
static void print_row(const struct spec *box)
{
    char status[64], *command = list_join(box->command), *ports = list_join(box->ports);
    char *source = strdupa(box->source);

    if (box->running && box->pid == 0)
        snprintf(status, sizeof(status), "starting");
    else if (box->running)
        snprintf(status, sizeof(status), "up %s", duration(time(NULL) - box->created));
    else
        snprintf(status, sizeof(status), "exited (%d) %s ago", box->status,
                 duration(time(NULL) - box->ended));
    tool_disarm(source, ' ');
    tool_disarm(command, ' ');
    printf("%-16s %-16.16s %-24.24s %-24s %-15s %s\n", box->name, source, command, status,
           box->address, ports);
    free(command);
    free(ports);
}

int command_ps(int argc, char **argv)
{
    enum { JSON = TOOL_OWN };
    static const struct option long_options[] = {
        {"all", no_argument, NULL, 'a'}, {"json", no_argument, NULL, JSON}, TOOL_OPTIONS};
    bool all = false, json = false;
    struct spec box;
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
        if (state_read(names[i], &box) < 0 || (!box.running && !all))
            continue;
        if (json) {
            printf(shown++ > 0 ? ",\n" : "");
            spec_write(&box, stdout);
        } else {
            print_row(&box);
        }
    }
    if (json)
        printf("]\n");
    free(names);
    return EXIT_SUCCESS;
}

static const char inspect_usage[] =
    "Usage: full inspect [OPTION]... BOX\n"
    "Show what is known of a box, and row by row beside its host what is isolated.\n"
    "\n"
    "      --json             what is known of it, as JSON (default: as text)\n"
    "@\n"
    "\n"
    "Example: full inspect web\n"
    "\n"
    "The same in the shell:\n"
    "  cat /var/lib/ten-steps/boxes/web/state; ls -l /proc/PID/ns\n";

int command_inspect(int argc, char **argv, char **whole)
{
    const struct option own = {"json", no_argument, NULL, TOOL_OWN};
    bool json = parse(argc, argv, "full inspect", inspect_usage, own) != NULL;
    struct spec box = box_ready(argv[optind]);

    if (json) {
        spec_write(&box, stdout);
        printf("\n");
        return EXIT_SUCCESS;
    }
    if (!box.running)
        fail("box %s: is not running; with --json what is known of it is printed", box.name);
    spec_show(&box);
    printf("\n");
    if (fflush(stdout) != 0)
        die("write");
    return join_view(&box, whole);
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
    "  tail -f /var/lib/ten-steps/boxes/web/log\n";

int command_logs(int argc, char **argv)
{
    const struct option own = {"follow", no_argument, NULL, 'f'};
    bool following = parse(argc, argv, "full logs", logs_usage, own) != NULL;
    struct spec box = following ? box_ready(argv[optind]) : box_named(argv[optind]);

    log_print(state_path(&box, "log"), following ? state_monitor(&box) : -1);
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
        struct spec box = box_ready(argv[i]);
        int monitor = state_monitor(&box);
        if (!box.running)
            continue;
        int seconds = given != -1 ? given : box.stop_timeout;
        send_signal(&box, box.stop_signal);
        if (seconds > 0 && signal_was_dropped(box.pid, box.stop_signal)) {
            hint("'full run --init' starts boxes that end at once");
            (void)refuse("box %s: its PID 1 has no handler for the stop signal: SIGKILL follows "
                         "in %d second%s",
                         box.name, seconds, seconds == 1 ? "" : "s");
        }
        if (!wait_for(state_process(&box), seconds * 1000))
            send_signal(&box, SIGKILL);
        finish(&box, monitor);
        printf("%s\n", box.name);
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
        struct spec box = box_ready(argv[i]);
        if (!box.running)
            fail("box %s: is not running", argv[i]);
        send_signal(&box, signal);
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
 * The monitor leaves the status in its claim, which stays open here when the box is forgotten. One
 * that was killed can't, and its box has gone the same way.
 */
static int wait_for_status(const char *name)
{
    struct spec box = box_ready(name); /* ends the tool if it isn't there */
    int claim = state_follow(&box), monitor = state_monitor(&box);

    if (!box.running)
        return box.status;
    wait_for(state_process(&box), FOREVER);
    syscall(SYS_pidfd_send_signal, monitor, SIGCONT, NULL, 0); /* it may be stopped */
    wait_for(monitor, FOREVER);
    if (claim == -1) /* it ended before we could open that */
        return box_named(name).status;
    int status = state_told(claim);
    close(claim);
    return status != -1 ? status : EXIT_SIGNAL + SIGKILL;
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
    "  kill -KILL PID; rm -r /var/lib/ten-steps/boxes/web\n";

int command_rm(int argc, char **argv)
{
    const struct option own = {"force", no_argument, NULL, 'f'};
    bool force = parse(argc, argv, "full rm", rm_usage, own) != NULL;
    int status = EXIT_SUCCESS;

    for (int i = optind; i < argc; i++) {
        struct spec box = force ? box_ready(argv[i]) : box_named(argv[i]);
        int monitor = state_monitor(&box);
        if (box.running && !force) {
            hint("'full stop %s' ends it, 'full rm -f %s' does both", argv[i], argv[i]);
            fail("box %s: is running", argv[i]);
        }
        if (box.running) {
            send_signal(&box, SIGKILL);
            finish(&box, monitor);
        }
        if (state_forget(&box) < 0)
            status = EXIT_TOOL;
    }
    return status;
}
