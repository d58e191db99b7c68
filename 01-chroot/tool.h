/*
 * What all tools of the course have in common: options, errors, and the output of --explain.
 *
 * A tool's main() reads its options with getopt_long(3) like any GNU program. Nothing in this file
 * depends on the layer of isolation that a tool adds.
 */
#ifndef TOOL_H
#define TOOL_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <stdnoreturn.h>

/* Exit statuses besides the command's own, the same as those of chroot(1), env(1), docker(1). */
enum { EXIT_TOOL = 125, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127, EXIT_SIGNAL = 128 };

/*
 * The options of every tool. TOOL_FLAGS goes in front of the tool's own short options: its "+"
 * makes getopt stop at the first operand, so that the command keeps its options for itself. Values
 * from TOOL_OWN on are free for a tool's own long options.
 */
#define TOOL_FLAGS "+hVx"
#define TOOL_OPTIONS                                                                               \
    {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'},                         \
        {"explain", no_argument, NULL, 'x'}, {"view", no_argument, NULL, TOOL_VIEW},               \
    {                                                                                              \
        NULL, 0, NULL, 0                                                                           \
    }
enum { TOOL_VIEW = 256, TOOL_OWN };

/*
 * The first call of every main(). Messages begin with NAME, and --help prints USAGE. Standard
 * streams that are closed are opened on /dev/null.
 */
void tool_start(char **argv, const char *name, const char *usage);

/* Handle an option that is not the tool's own: a common one, or a mistake (exit 125). */
void tool_option(int option);

/* Read TEXT, a whole number from MIN to MAX. WHAT names it in the error, which ends the tool. */
long long tool_number(const char *text, const char *what, long long min, long long max);

/* The command: the operands from optind on, or /bin/sh if there are none. */
char **tool_command(int argc, char **argv);

/* The length in bytes of the control character at the start of TEXT; 0 if there is none. */
size_t tool_control(const char *text);

/* Replace each control character in TEXT: a terminal would obey those that others put there. */
void tool_replace_control(char *text, char instead);

/* The side that this process is on, for --explain: "host" until spawn() sets "box". */
void tool_side(const char *side);

/*
 * With --explain, print one step before it is taken. FORMAT is printf's and holds one tab: before
 * it is the shell command that does the same, after it the system call. On a terminal, a call
 * that does not fit beside the command goes below it.
 */
void explain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Errors are one line on standard error, written at once: "NAME: TEXT: cause". */

/*
 * From here on errors and --explain go to FILE, because standard error is about to become something
 * else, such as a log. FILE stays open until the command is executed.
 */
void tool_errors_to(int file);

/* Where errors go now. */
int tool_errors(void);

/* A system call failed: report what was tried and why it failed (errno). Returns -errno. */
int report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same without errno, for mistakes of the user. Returns -EINVAL. */
int refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Report or refuse, then end with 125. */
#define die(...)  exit((report(__VA_ARGS__), EXIT_TOOL))
#define fail(...) exit((refuse(__VA_ARGS__), EXIT_TOOL))

/* The way out, printed as a "hint:" line below the next error. Keeps errno. */
void hint(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
