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
#include "../08-cgroup/group.h"

/* Real-time signals as most programs in a box count them. libc keeps the first few of them for
 * itself: glibc two, and musl, whose SIGRTMIN would be another number here, three. */
enum { FIRST_REAL_TIME = 34, LAST_REAL_TIME = 64 };

/* The index is the number, the same on x86-64 and arm64. signal(7) */
static const char *const names[] = {
    NULL,   "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
    "SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
    "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS"};
_Static_assert(SIGTERM == 15 && SIGTTOU == 22 && SIGSYS == 31, "the order is the kernel's");

static const struct {
    const char *name;
    int number;
} others[] = {{"IOT", SIGABRT},
              {"CLD", SIGCHLD},
              {"POLL", SIGIO},
              {"RTMIN", FIRST_REAL_TIME},
              {"RTMAX", LAST_REAL_TIME}};

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
    for (int i = 1; i <= SIGSYS; i++)
        if (strcasecmp(text, names[i]) == 0)
            return i;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strcasecmp(text, others[i].name) == 0)
            return others[i].number;

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
 * Does PID 1 of a namespace neither catch nor block SIGNAL, nor has yet to get it? While it is
 * inside sigwait(3), as the init of chapter 3 and others are, /proc doesn't show the signals as
 * blocked. What can't be looked into counts as waiting.
 */
static bool looks_dropped(pid_t first, int signal)
{
    static const char *const keeping[] = {"\nSigPnd:", "\nShdPnd:", "\nSigBlk:", "\nSigCgt:"};
    char directory[32], status[4096], call[256];

    snprintf(directory, sizeof(directory), "/proc/%d", first);
    if (group_read(directory, "status", status, sizeof(status)) != 0 ||
        group_read(directory, "syscall", call, sizeof(call)) != 0 ||
        strtol(call, NULL, 10) == SYS_rt_sigtimedwait)
        return false;
    for (size_t i = 0; i < sizeof(keeping) / sizeof(keeping[0]); i++) {
        const char *line = strstr(status, keeping[i]);
        if (line != NULL && strtoull(strchr(line, ':') + 1, NULL, 16) >> (signal - 1) & 1)
            return false;
    }
    const char *ids = strstr(status, "\nNSpid:"); /* the last one is its own */
    return ids != NULL && strncmp(strchrnul(ids + 1, '\n') - 2, "\t1", 2) == 0;
}

/* Between two rounds of sigwait(3) there is a moment in which nothing shows it. So look again. */
bool signal_was_dropped(pid_t first, int signal)
{
    enum { LOOKS = 3 };
    const struct timespec pause = {.tv_nsec = 5000000};

    if (signal == SIGKILL || signal == SIGSTOP)
        return false;
    for (int i = 0; i < LOOKS; i++) {
        if (i > 0)
            nanosleep(&pause, NULL);
        if (!looks_dropped(first, signal))
            return false;
    }
    return true;
}
