#include "signals.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../01-chroot/tool.h"

/* Real-time signals as most programs in a box count them. libc keeps the first few of them for
 * itself: glibc two, and musl, whose SIGRTMIN would be another number here, three. */
enum { FIRST_REAL_TIME = 34, LAST_REAL_TIME = 64 };

/* The index is the number, the same on x86-64 and arm64: signal(7). musl has no sigabbrev_np(3). */
static const char *const names[] = {
    NULL,   "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
    "SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
    "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS"};
_Static_assert(SIGTERM == 15 && SIGTTOU == 22 && SIGSYS == 31, "the order is the kernel's");

int signal_number(const char *text)
{
    int first = 0;
    char *end;

    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (int i = 1; i <= SIGSYS; i++)
        if (strcasecmp(text, names[i]) == 0)
            return i;
    if (strcasecmp(text, "RTMIN") == 0)
        return FIRST_REAL_TIME;
    if (strncasecmp(text, "RTMIN+", 6) == 0) {
        first = FIRST_REAL_TIME;
        text += 6;
    }
    if (!isdigit((unsigned char)text[0]))
        return 0;
    long number = strtol(text, &end, 10);
    return *end == '\0' && number <= LAST_REAL_TIME - first ? first + (int)number : 0;
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
