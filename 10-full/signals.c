#include "signals.h"

#include <ctype.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

/* Real-time signals as most programs in a box count them. libc keeps the first few of them for
 * itself: glibc two, and musl, whose SIGRTMIN would be another number here, three. */
enum { FIRST_REAL_TIME = 34, LAST_REAL_TIME = 64 };

static const struct {
    const char *name;
    int number;
} signals[] = {
    {"HUP", SIGHUP},
    {"INT", SIGINT},
    {"QUIT", SIGQUIT},
    {"ILL", SIGILL},
    {"TRAP", SIGTRAP},
    {"ABRT", SIGABRT},
    {"IOT", SIGIOT},
    {"BUS", SIGBUS},
    {"FPE", SIGFPE},
    {"KILL", SIGKILL},
    {"USR1", SIGUSR1},
    {"SEGV", SIGSEGV},
    {"USR2", SIGUSR2},
    {"PIPE", SIGPIPE},
    {"ALRM", SIGALRM},
    {"TERM", SIGTERM},
    {"STKFLT", SIGSTKFLT},
    {"CHLD", SIGCHLD},
    {"CLD", SIGCHLD},
    {"CONT", SIGCONT},
    {"STOP", SIGSTOP},
    {"TSTP", SIGTSTP},
    {"TTIN", SIGTTIN},
    {"TTOU", SIGTTOU},
    {"URG", SIGURG},
    {"XCPU", SIGXCPU},
    {"XFSZ", SIGXFSZ},
    {"VTALRM", SIGVTALRM},
    {"PROF", SIGPROF},
    {"IO", SIGIO},
    {"POLL", SIGPOLL},
    {"WINCH", SIGWINCH},
    {"PWR", SIGPWR},
    {"SYS", SIGSYS},
    {"RTMIN", FIRST_REAL_TIME},
    {"RTMAX", LAST_REAL_TIME},
};

/* All of TEXT as a number from 0 to MAX; -1 if it is something else. */
static int small_number(const char *text, int max)
{
    char *end;
    long number = strtol(text, &end, 10);

    return isdigit((unsigned char)text[0]) && *end == '\0' && number <= max ? (int)number : -1;
}

int signal_number(const char *text)
{
    if (isdigit((unsigned char)text[0])) {
        int number = small_number(text, LAST_REAL_TIME);
        return number > 0 ? number : 0;
    }
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        if (strcasecmp(text, signals[i].name) == 0)
            return signals[i].number;

    bool up = strncasecmp(text, "RTMIN+", 6) == 0, down = strncasecmp(text, "RTMAX-", 6) == 0;
    int offset = up || down ? small_number(text + 6, LAST_REAL_TIME - FIRST_REAL_TIME) : -1;
    if (offset == -1)
        return 0;
    return up ? FIRST_REAL_TIME + offset : LAST_REAL_TIME - offset;
}

int signal_option(const char *text)
{
    int number = signal_number(text);

    if (number == 0)
        fail("invalid signal '%s': expected a name such as TERM, USR1 or RTMIN+3, or a number from "
             "1 to %d",
             text, LAST_REAL_TIME);
    return number;
}

/* The init of chapter 3 is this very program. It may not be looked into by an ordinary user. */
static bool is_init(pid_t first)
{
    char path[32], own[4096] = "", its[4096] = "";

    snprintf(path, sizeof(path), "/proc/%d/exe", first);
    return readlink(path, its, sizeof(its) - 1) == -1 ||
           readlink("/proc/self/exe", own, sizeof(own) - 1) == -1 || strcmp(its, own) == 0;
}

bool signal_is_ignored(pid_t first, int signal)
{
    char path[32], line[256];
    unsigned long long ours = 1ULL << (signal - 1), handled = 0;
    bool is_first = false;

    snprintf(path, sizeof(path), "/proc/%d/status", first);
    FILE *status = fopen(path, "re");
    while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
        sscanf(line, "SigCgt: %llx", &handled);
        if (strncmp(line, "NSpid:", strlen("NSpid:")) == 0)
            is_first = strcmp(strrchr(line, '\t'), "\t1\n") == 0;
    }
    if (status != NULL)
        fclose(status);
    return is_first && !is_init(first) && (handled & ours) == 0 && signal != SIGKILL &&
           signal != SIGSTOP;
}
