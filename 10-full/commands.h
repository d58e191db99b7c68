/*
 * The commands for boxes that 'full run' has started. Each takes its own command line, of which
 * ARGV[0] is its name, and returns the tool's exit status. Mistakes end the tool.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <stdbool.h>

#include "spec.h"

enum { MAX_STOP = 2000000 /* seconds, as milliseconds in an int */ };

/* Host. One for each word after "full". WHOLE is the command line from "full" on. */
int command_run(int argc, char **argv); /* in options.c */
int command_ps(int argc, char **argv);
int command_logs(int argc, char **argv);
int command_stop(int argc, char **argv);
int command_kill(int argc, char **argv);
int command_wait(int argc, char **argv);
int command_rm(int argc, char **argv);
int command_stats(int argc, char **argv);
int command_exec(int argc, char **argv, char **whole); /* these two in join.c */
int command_inspect(int argc, char **argv, char **whole);

/* Host. The same for images, which chapter 9 keeps; in images.c. */
int command_load(int argc, char **argv);
int command_images(int argc, char **argv);
int command_rmi(int argc, char **argv);
int command_save(int argc, char **argv);
int command_commit(int argc, char **argv);

/*
 * Host, in options.c. Read the options of a command: those that its HELP lists, whose text is their
 * table. Returns the value of the option OWN, "" if it takes none; NULL if it isn't given. The
 * operands begin at optind.
 */
const char *options_one(int argc, char **argv, const char *help, const char *own);

/* Host, afterwards. The operands, of which there must be MIN to MAX. */
char **options_operands(int argc, char **argv, int min, int max);

/* Host. Open the box that the next operand names, as state_open() does. False after the last one.
 * Without any operand, or if there is no such box, the tool ends. */
bool command_next(char **argv, struct spec *box);

/* Host. Put the options that HELP lists into SPEC, for 'full exec' too. / Have its command limited
 * by TEXT, which --ulimit gives as NAME=SOFT[:HARD]. */
void options_read(struct spec *spec, int argc, char **argv, const char *help);
void options_limit(struct spec *spec, const char *text);

#endif
