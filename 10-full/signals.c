#include "signals.h"

#include <ctype.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <time.h>

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

/*
 * Is FIRST inside sigwait(3), as the init of chapter 3 and others are? For so long, /proc doesn't
 * show the signals as blocked. What can't be looked into counts as waiting.
 */
static bool waits_for_signals(pid_t first)
{
    char path[32], call[256];

    snprintf(path, sizeof(path), "/proc/%d/syscall", first);
    FILE *file = fopen(path, "re");
    bool waits = file == NULL || fgets(call, sizeof(call), file) == NULL ||
                 strtol(call, NULL, 10) == SYS_rt_sigtimedwait;
    if (file != NULL)
        fclose(file);
    return waits;
}

static bool looks_dropped(pid_t first, int signal)
{
    char path[32], line[256], name[8];
    unsigned long long mask, kept = 0; /* what it catches or blocks, or has yet to get */
    bool is_first = false;

    snprintf(path, sizeof(path), "/proc/%d/status", first);
    FILE *status = fopen(path, "re");
    while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
        if (sscanf(line, "%7[A-Za-z]: %llx", name, &mask) == 2 &&
            strstr("SigPnd ShdPnd SigBlk SigCgt", name) != NULL)
            kept |= mask;
        if (strncmp(line, "NSpid:", strlen("NSpid:")) == 0)
            is_first = strcmp(strrchr(line, '\t'), "\t1\n") == 0;
    }
    if (status != NULL)
        fclose(status);
    return is_first && signal != SIGKILL && signal != SIGSTOP && (kept >> (signal - 1) & 1) == 0 &&
           !waits_for_signals(first);
}

/* Between two rounds of sigwait(3) there is a moment in which nothing tells. So look again. */
bool signal_was_dropped(pid_t first, int signal)
{
    enum { LOOKS = 3 };
    const struct timespec pause = {.tv_nsec = 5000000};

    for (int i = 0; i < LOOKS; i++) {
        if (i > 0)
            nanosleep(&pause, NULL);
        if (!looks_dropped(first, signal))
            return false;
    }
    return true;
}
