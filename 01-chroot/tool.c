#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "view.h"

#define VERSION "1.0"

static const char *tool_name = "tool";
static const char *tool_usage = "";
static const char *tool_at = "host";
static int error_file = STDERR_FILENO;
static bool explaining;
static char next_hint[512];

static const char common_usage[] =
    "  -x, --explain          print each step as it is taken\n"
    "      --view             show what is isolated, in place of a command\n"
    "  -h, --help             print this help\n"
    "  -V, --version          print the version\n";

/* Otherwise the next file to be opened, such as a socket, would take the place of the stream. */
static void open_missing_streams(void)
{
    for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++)
        if (fcntl(stream, F_GETFD) == -1 && open("/dev/null", O_RDWR) != stream)
            die("open /dev/null");
}

void tool_start(char **argv, const char *name, const char *usage)
{
    tool_name = name;
    tool_usage = usage;
    argv[0] = (char *)name; /* getopt's own messages begin with it */
    open_missing_streams();
}

/* The usage text has a line "@" where the options of every tool belong. */
static void print_usage(void)
{
    const char *rest = strstr(tool_usage, "@\n");

    printf("%.*s%s%s", (int)(rest - tool_usage), tool_usage, common_usage, rest + strlen("@\n"));
}

void tool_option(int option)
{
    switch (option) {
    case 'h':
        print_usage();
        break;
    case 'V':
        printf("%s (Ten Steps to a Container) " VERSION "\n", tool_name);
        break;
    case 'x':
        explaining = true;
        return;
    case TOOL_VIEW:
        view_remember_host();
        return;
    default: /* getopt has reported what is wrong */
        dprintf(error_file, "hint: '%s --help' lists the options\n", tool_name);
        exit(EXIT_TOOL);
    }
    if (fflush(stdout) != 0)
        die("write");
    exit(EXIT_SUCCESS);
}

long long tool_number(const char *text, const char *what, long long min, long long max)
{
    char *end;
    bool octal = text[0] == '0' && text[1] != '\0'; /* the kernel would take 010 for 8 */
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if ((text[0] != '-' && (text[0] < '0' || text[0] > '9')) || *end != '\0' || errno == ERANGE ||
        octal || number < min || number > max)
        fail("invalid %s '%s': expected a whole number from %lld to %lld", what, text, min, max);
    return number;
}

char **tool_command(int argc, char **argv)
{
    static char *shell[] = {"/bin/sh", NULL};
    return optind < argc ? argv + optind : shell;
}

void tool_errors_to(int file)
{
    error_file = file;
}

int tool_errors(void)
{
    return error_file;
}

void tool_side(const char *side)
{
    tool_at = side;
}

void explain(const char *format, ...)
{
    enum { SCREEN = 80, COLUMN = 44 }; /* characters */
    char step[12288]; /* overlay's options, of 4096 bytes at most, stand in both columns */
    va_list arguments;

    if (!explaining)
        return;
    int saved = errno;
    va_start(arguments, format);
    vsnprintf(step, sizeof(step), format, arguments);
    va_end(arguments);

    char *call = step + strcspn(step, "\t");
    int shell = (int)(call - step), room = COLUMN;
    if (*call == '\t')
        *call++ = '\0';
    tool_replace_control(step, '?');
    tool_replace_control(call, '?');
    bool terminal = isatty(error_file);
    if (terminal && room > SCREEN - (int)strlen("host#   ") - (int)strlen(call))
        room = SCREEN - (int)strlen("host#   ") - (int)strlen(call);
    dprintf(error_file, "%4s# %-*s%s%s\n", tool_at, room > 0 ? room : 0, step,
            terminal && shell > room ? "\n          " : "  ", call);
    errno = saved;
}

void hint(const char *format, ...)
{
    va_list arguments;
    int saved = errno;

    va_start(arguments, format);
    vsnprintf(next_hint, sizeof(next_hint), format, arguments);
    va_end(arguments);
    errno = saved;
}

size_t tool_control(const char *text)
{
    unsigned char first = (unsigned char)text[0];

    if (first == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0)
        return 2; /* U+0080 to U+009F */
    return first < ' ' || first == 0x7f;
}

void tool_replace_control(char *text, char instead)
{
    for (; *text != '\0'; text++)
        memset(text, instead, tool_control(text));
}

/* A few error numbers have the same few causes everywhere. 'make doctor' finds out more. */
static const char *hint_for(int error)
{
    switch (error) {
    case EPERM:
        return geteuid() == 0
                   ? "'make doctor' finds out what root may not do here, and why"
                   : "this needs root: put sudo in front of it, or the tool of chapter 6 "
                     "(user), which doesn't need root";
    case EACCES:
        return "'ls -ld' shows who has permission there; with sudo you are root";
    case ENOSPC:
        return "a disk is full, or a limit on namespaces or mounts is reached, or is 0: see "
               "/proc/sys/user/max_*_namespaces and /proc/sys/fs/mount-max";
    case ENOSYS:
        return "this kernel lacks the call, or something forbids it: the course needs Linux 5.14 "
               "or newer, and 'make doctor' finds out more";
    default:
        return "";
    }
}

/* One write(2) for the line and its hint, so that errors of two sides do not mix. */
static void say(const char *format, va_list arguments, int error)
{
    char text[1024], lines[2048];

    if (next_hint[0] == '\0')
        snprintf(next_hint, sizeof(next_hint), "%s", hint_for(error));
    vsnprintf(text, sizeof(text), format, arguments);
    tool_replace_control(text, '?');
    tool_replace_control(next_hint, '?');
    snprintf(lines, sizeof(lines), "%s: %s%s%s\n%s%s%s", tool_name, text, error ? ": " : "",
             error ? strerror(error) : "", next_hint[0] ? "hint: " : "", next_hint,
             next_hint[0] ? "\n" : "");
    (void)!write(error_file, lines, strlen(lines));
    next_hint[0] = '\0';
}

int report(const char *format, ...)
{
    int error = errno;
    va_list arguments;

    va_start(arguments, format);
    say(format, arguments, error);
    va_end(arguments);
    return -error;
}

int refuse(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(format, arguments, 0);
    va_end(arguments);
    return -EINVAL;
}
