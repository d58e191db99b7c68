#define _GNU_SOURCE
#include "commands.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../08-cgroup/usage.h"
#include "background.h"
#include "state.h"

enum { FOREVER = -1, MAX_END = 10000 }; /* milliseconds */

/* --- ps --------------------------------------------------------------------------------------- */

static const char ps_usage[] =
    "Usage: full ps [OPTION]...\n"
    "List the boxes that run.\n\n"
    "  -a, --all              also those that have ended (default: not)\n"
    "      --json             as JSON, all fields (default: a table)\n"
    "@\n\n"
    "Example: full ps -a\n\n"
    "The same in the shell:\n"
    "  cat {/run,/var/lib}/ten-steps/boxes/*/state; lsns --type pid\n";

/* "3 minutes" and the like. */
static const char *duration(int64_t since)
{
    static const struct {
        int seconds;
        const char *name;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    static char text[32];
    int i = 0, seconds = time(NULL) > since ? (int)(time(NULL) - since) : 0;

    while (i < 3 && seconds < units[i].seconds)
        i++;
    int number = seconds / units[i].seconds;
    snprintf(text, sizeof(text), "%d %s%s", number, units[i].name, number == 1 ? "" : "s");
    return text;
}

/* Texts that others have chosen are cut, and made harmless: a terminal obeys. */
static void print_row(const struct spec *box)
{
    char status[64] = "starting", *source = strdupa(box->source), *command;

    if (box->running && box->pid > 0)
        snprintf(status, sizeof(status), "up %s", duration(box->created));
    else if (!box->running)
        snprintf(status, sizeof(status), "exited (%d) %s ago", box->status, duration(box->ended));
    command = list_join(box->command);
    tool_replace_control(source, ' ');
    tool_replace_control(command, ' ');
    printf("%-12s %-10.10s %-12.12s %-24s %-12s %s\n", box->name, source, command, status,
           box->address, list_join(box->ports));
}

int command_ps(int argc, char **argv)
{
    bool all = options_one(argc, argv, ps_usage, "all") != NULL;
    bool json = options_one(argc, argv, ps_usage, "json") != NULL;
    struct spec box;
    int shown = 0;

    if (json)
        printf("[");
    else
        printf("%-12s %-10s %-12s %-24s %-12s %s\n", "NAME", "SOURCE", "COMMAND", "STATUS",
               "ADDRESS", "PORTS");
    for (char **name = state_list(); name != NULL && *name != NULL; name++) {
        /* A box may end and be forgotten between the list and here: then it isn't there. */
        if (state_read(*name, &box) < 0 || (!box.running && !all))
            continue;
        if (json) {
            printf(shown++ > 0 ? ",\n" : "");
            spec_write(&box, stdout);
        } else {
            print_row(&box);
        }
    }
    printf(json ? "]\n" : "");
    return EXIT_SUCCESS;
}

static const char stats_usage[] =
    "Usage: full stats [OPTION]... [BOX]...\n"
    "Show what running boxes use, beside their limits (default: all).\n\n"
    "@\n\n"
    "Example: full stats web\n\n"
    "The same in the shell:\n"
    "  cd /sys/fs/cgroup/ten-steps/NUMBER; cat cpu.stat memory.current\n";

int command_stats(int argc, char **argv)
{
    int status = EXIT_SUCCESS;
    struct spec box;

    (void)options_one(argc, argv, stats_usage, "");
    bool all = optind == argc;
    char **name = all ? state_list() : argv + optind;
    for (; name != NULL && *name != NULL; name++) {
        if (state_read(*name, &box) < 0)
            status = all ? status : EXIT_TOOL; /* it may just have ended */
        else if (box.running || !all)
            usage_print(STDOUT_FILENO, box.name, box.cgroup, difftime(time(NULL), box.created) + 1,
                        "current");
    }
    return status;
}

/* --- what is done to each box that is named --------------------------------------------------- */

bool command_next(char **argv, struct spec *box)
{
    static bool begun;

    if (argv[optind] == NULL && !begun)
        fail("the name of a box is missing");
    begun = true;
    if (argv[optind] == NULL)
        return false;
    if (state_open(argv[optind++], box) < 0)
        exit(EXIT_TOOL);
    return true;
}

static void send_signal(int process, int signal)
{
    if (process != -1 && syscall(SYS_pidfd_send_signal, process, signal, NULL, 0) == -1 &&
        errno != ESRCH)
        die("send signal %d", signal);
}

/* Wait until PROCESS has ended, MILLISECONDS at most. False if the time was up. */
static bool ends(int process, int milliseconds)
{
    struct pollfd ended = {.fd = process, .events = POLLIN};

    return process == -1 || poll(&ended, 1, milliseconds) != 0;
}

/*
 * The first process of the BOX has ended, or been killed: see to the rest. Its monitor undoes
 * what the box needed, and may have been stopped, as by Ctrl-Z. If it can't be made to go on, do
 * its work here.
 */
static void finish(const struct spec *box)
{
    if (!ends(box->process, MAX_END)) {
        hint("a stopped 'full exec' keeps its command, and so the box, from ending: continue it");
        fail("box %s: process %d was killed, but doesn't end", box->name, box->pid);
    }
    send_signal(box->keeper, SIGCONT);
    if (ends(box->keeper, MAX_END))
        return;
    send_signal(box->keeper, SIGKILL);
    if (!ends(box->keeper, MAX_END))
        fail("box %s: its process was killed, but its monitor doesn't end", box->name);
    state_sweep();
}

static const char logs_usage[] =
    "Usage: full logs [OPTION]... BOX\n"
    "Print what a detached box has written, the last 10 to 11 MB of it.\n\n"
    "  -f, --follow           go on until the box ends (default: stop)\n"
    "@\n\n"
    "Example: full logs -f web\n\n"
    "The same in the shell:\n"
    "  tail -f /var/lib/ten-steps/boxes/web/log\n";

int command_logs(int argc, char **argv)
{
    bool following = options_one(argc, argv, logs_usage, "follow") != NULL;
    struct spec box;

    command_next(argv, &box);
    log_print(state_path(&box, "log"), following ? box.keeper : -1);
    return EXIT_SUCCESS;
}

static const char stop_usage[] =
    "Usage: full stop [OPTION]... BOX...\n"
    "End boxes: send each its stop signal, and SIGKILL if it has not ended in time.\n"
    "The signal is that of 'full run --stop-signal' or of the image (default: TERM).\n\n"
    "  -t, --time=SECONDS     how long to wait (default: --stop-timeout, or 10)\n"
    "@\n\n"
    "Example: full stop -t 3 web\n\n"
    "The same in the shell:\n"
    "  kill -TERM PID; sleep 10; kill -KILL PID\n";

int command_stop(int argc, char **argv)
{
    const char *time = options_one(argc, argv, stop_usage, "time");
    int given = time != NULL ? (int)tool_number(time, "time", 0, MAX_STOP) : -1;
    struct spec box;

    while (command_next(argv, &box)) {
        if (!box.running)
            continue;
        int seconds = given != -1 ? given : box.stop_timeout;
        send_signal(box.process, box.stop_signal);
        if (!ends(box.process, seconds * 1000))
            send_signal(box.process, SIGKILL);
        finish(&box);
        printf("%s\n", box.name);
    }
    return EXIT_SUCCESS;
}

static const char kill_usage[] = "Usage: full kill [OPTION]... BOX...\n"
                                 "Send a signal to the first process of boxes.\n\n"
                                 "  -s, --signal=SIGNAL    its name or number (default: KILL)\n"
                                 "@\n\n"
                                 "Example: full kill -s HUP web\n\n"
                                 "The same in the shell:\n"
                                 "  kill -HUP PID\n";

int command_kill(int argc, char **argv)
{
    const char *name = options_one(argc, argv, kill_usage, "signal");
    int signal = name != NULL ? signal_number(name, "signal") : SIGKILL;
    struct spec box;

    while (command_next(argv, &box)) {
        if (!box.running)
            fail("box %s: is not running", box.name);
        send_signal(box.process, signal);
    }
    return EXIT_SUCCESS;
}

static const char wait_usage[] = "Usage: full wait [OPTION]... BOX...\n"
                                 "Wait until boxes have ended, and print their exit statuses.\n\n"
                                 "@\n\n"
                                 "Example: full wait web\n\n"
                                 "The same in the shell:\n"
                                 "  wait PID; echo $?\n";

int command_wait(int argc, char **argv)
{
    struct spec box;

    (void)options_one(argc, argv, wait_usage, "");
    while (command_next(argv, &box)) {
        if (box.running) {
            ends(box.process, FOREVER);
            send_signal(box.keeper, SIGCONT); /* it may be stopped */
            ends(box.keeper, FOREVER);
            box.status = state_status(&box);
        }
        printf("%d\n", box.status != -1 ? box.status : EXIT_SIGNAL + SIGKILL);
        fflush(stdout);
    }
    return EXIT_SUCCESS;
}

static const char rm_usage[] =
    "Usage: full rm [OPTION]... BOX...\n"
    "Forget boxes that have ended, with their logs and layers.\n\n"
    "  -f, --force            end those that run first (default: refuse)\n"
    "@\n\n"
    "Example: full rm -f web\n\n"
    "The same in the shell:\n"
    "  kill -KILL PID; rm -r /var/lib/ten-steps/boxes/web\n";

int command_rm(int argc, char **argv)
{
    bool force = options_one(argc, argv, rm_usage, "force") != NULL;
    int status = EXIT_SUCCESS;
    struct spec box;

    while (command_next(argv, &box)) {
        if (box.running && !force) {
            hint("'full stop %s' ends it, 'full rm -f %s' does both", box.name, box.name);
            fail("box %s: is running", box.name);
        }
        if (box.running) {
            send_signal(box.process, SIGKILL);
            finish(&box);
        }
        if (state_forget(&box) < 0)
            status = EXIT_TOOL;
    }
    return status;
}
