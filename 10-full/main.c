/*
 * full: a working container. All that chapters 1 to 9 did one step at a time, at once.
 *
 * The road from clone3(2) to execve(2) is in box.c, and the host's side of it in container.c: two
 * straight lines with the number of the chapter that each step comes from.
 */
#include <stdio.h>
#include <string.h>

#include "../01-chroot/tool.h"
#include "commands.h"
#include "harden.h"
#include "state.h"

static const char usage[] =
    "Usage: full [OPTION]... COMMAND\n"
    "Containers, without a daemon.\n\n"
    "  run IMAGE|DIR [COMMAND]  run a command in a new box\n"
    "  exec BOX [COMMAND]       run one more command in a box\n"
    "  ps                       list the boxes\n"
    "  logs BOX                 print what a detached box has written\n"
    "  stop, kill, wait BOX     end a box, send it a signal, wait for its end\n"
    "  inspect BOX              show a box beside its host; stats: what boxes use\n"
    "  rm BOX                   forget a box that has ended\n"
    "  load FILE [NAME]         load an image; images lists them, rmi removes one\n"
    "  commit BOX IMAGE         make an image out of what a box has written\n"
    "  save IMAGE FILE          write an image for docker and others\n\n"
    "@\n"
    "'full COMMAND --help' explains each.\n\n"
    "Example: full run -it ./rootfs\n";

/* WHOLE is the command line from its first word on. */
static int run_command(int argc, char **argv, char **whole)
{
    const char *command = argv[0];

    if (strcmp(command, "run") == 0)
        return command_run(argc, argv);
    if (strcmp(command, "exec") == 0)
        return command_exec(argc, argv, whole);
    if (strcmp(command, "load") == 0)
        return command_load(argc, argv);
    if (strcmp(command, "images") == 0)
        return command_images(argc, argv);
    if (strcmp(command, "rmi") == 0)
        return command_rmi(argc, argv);
    if (strcmp(command, "save") == 0)
        return command_save(argc, argv);
    state_sweep();
    if (strcmp(command, "ps") == 0)
        return command_ps(argc, argv);
    if (strcmp(command, "logs") == 0)
        return command_logs(argc, argv);
    if (strcmp(command, "stop") == 0)
        return command_stop(argc, argv);
    if (strcmp(command, "kill") == 0)
        return command_kill(argc, argv);
    if (strcmp(command, "wait") == 0)
        return command_wait(argc, argv);
    if (strcmp(command, "inspect") == 0)
        return command_inspect(argc, argv, whole);
    if (strcmp(command, "stats") == 0)
        return command_stats(argc, argv);
    if (strcmp(command, "rm") == 0)
        return command_rm(argc, argv);
    if (strcmp(command, "commit") == 0)
        return command_commit(argc, argv);
    hint("'full --help' lists the commands");
    fail("unknown command '%s'", command);
}

int main(int argc, char **argv)
{
    harden_descriptors();
    (void)options_one(argc, argv, usage, "");
    if (optind == argc) {
        hint("'full --help' lists the commands");
        fail("a command is missing");
    }
    int status = run_command(argc - optind, argv + optind, argv);
    if (fflush(stdout) != 0)
        die("write");
    return status;
}
