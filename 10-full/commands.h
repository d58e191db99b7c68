/*
 * The commands for boxes that 'full run' has made. Each takes its own command line, ARGV[0] being
 * its name, runs on the host, and returns the tool's exit status; mistakes end the tool.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <getopt.h>

/* Host. One for each word behind "full". */
int command_ps(int argc, char **argv);
int command_inspect(int argc, char **argv, char **whole); /* WHOLE: with "full" in front */
int command_logs(int argc, char **argv);
int command_stop(int argc, char **argv);
int command_kill(int argc, char **argv);
int command_wait(int argc, char **argv);
int command_rm(int argc, char **argv);
int command_stats(int argc, char **argv); /* in stats.c */

/* Host. The same for images, which chapter 9 keeps; in images.c. */
int command_load(int argc, char **argv);
int command_images(int argc, char **argv);
int command_rmi(int argc, char **argv);
int command_history(int argc, char **argv);
int command_save(int argc, char **argv);
int command_commit(int argc, char **argv);

/*
 * Host. The command line of a command with one option of its own, OWN, or none if that is zero; the
 * operands begin at optind. Returns what was given with it, "" if it takes nothing; NULL without
 * it.
 */
const char *command_parse(int argc, char **argv, const char *name, const char *usage,
                          struct option own);

#endif
