/*
 * The system calls that a box may make: the list behind seccomp.c, in groups and with reasons. To
 * see what is allowed and why, read syscalls.c; how it becomes a program for the kernel is in
 * seccomp.c.
 */
#ifndef SYSCALLS_H
#define SYSCALLS_H

#include <stdint.h>

/* What becomes of a call. Those with CHECK are allowed or refused by one of their arguments. */
enum answer {
    ANSWER_UNKNOWN = 0, /* ENOSYS: newer than the list; the program falls back on an older call */
    ANSWER_ALLOW,
    ANSWER_REFUSE,     /* EPERM */
    ANSWER_ABSENT,     /* ENOSYS: as if this kernel were too old to have it */
    CHECK_CLONE,       /* the flags of clone(2): no new namespaces */
    CHECK_IOCTL,       /* the request of ioctl(2): none that types into a terminal */
    CHECK_PERSONALITY, /* the persona of personality(2): none that weakens memory protection */
    CHECK_SOCKET,      /* the family of socket(2): the well-trodden ones */
};

/* Calls are numbered from 0; the list knows none from here on. */
enum { SYSCALLS = 512 };

/*
 * Either side. Fill in the answer for each call number in a box whose root holds CAPABILITIES (bit
 * N is capability N): what docker calls its default profile, as the groups in syscalls.c tell.
 */
void syscalls_answers(uint64_t capabilities, uint8_t answers[SYSCALLS]);

#endif
