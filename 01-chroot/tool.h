/*
 * How every tool of the course talks: its options, its errors, and what it says with --explain.
 *
 * A tool's main() reads its options with getopt_long(3) like any GNU program; what all tools have
 * in common is here. Nothing in this file depends on which layer of isolation a tool adds.
 */
#ifndef TOOL_H
#define TOOL_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <stdnoreturn.h>

/* Exit statuses besides the command's own, as chroot(1), env(1) and docker(1) have them. */
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
 * First call of every main: the name that messages begin with, and the text for --help. A standard
 * stream that is closed is opened on /dev/null.
 */
void tool_start(char **argv, const char *name, const char *usage);

/* Take an option that the tool itself does not know: a common one, or a mistake (exit 125). */
void tool_option(int option);

/* The operands from optind on are the command; without any it is /bin/sh. */
char **tool_command(int argc, char **argv);

/* How many bytes the control character has that TEXT begins with, 0 if it begins with none. */
size_t tool_control(const char *text);

/* Put INSTEAD in place of each control character in TEXT: others chose it, and a terminal obeys. */
void tool_disarm(char *text, char instead);

/* On which side of the wall this process is, for --explain: "host" until spawn() says "box". */
void tool_side(const char *side);

/*
 * With --explain, print one step before it is taken. FORMAT is printf's and holds one tab: before
 * it stands the shell command that does the same, after it the system call.
 */
void explain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Errors are one line on standard error, written at once: "NAME: TEXT: cause". */

/*
 * From here on errors and --explain go to FILE, as standard error is about to become something
 * else, say a log. FILE then is the tool's to close.
 */
void tool_errors_to(int file);

/* Where errors go now. */
int tool_errors(void);

/* A system call failed: say what was tried and why it failed (errno). Returns -errno. */
int report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same without errno, for what the user got wrong. Returns -EINVAL. */
int refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Report or refuse, then end with 125. */
#define die(...)  exit((report(__VA_ARGS__), EXIT_TOOL))
#define fail(...) exit((refuse(__VA_ARGS__), EXIT_TOOL))

/* The way out, printed as a "hint:" line below the next error. errno stays as it was. */
void hint(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
