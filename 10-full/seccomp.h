/*
 * A filter over system calls: what the box may ask the kernel for at all. See seccomp(2).
 *
 * What is allowed and why is the list in syscalls.c, in groups and with reasons. In seccomp.c it
 * becomes a program for the kernel's classic BPF machine: a binary tree over call numbers, so that
 * some eight comparisons find any of them. (Engines long used a list of hundreds, which costs five
 * times as much to install and more on every call.)
 */
#ifndef SECCOMP_H
#define SECCOMP_H

#include <linux/filter.h>
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

/* A filter as it is built: room for more than the list can ever need. */
enum { FILTER_ROOM = 2048 };
struct filter {
    struct sock_filter code[FILTER_ROOM];
    unsigned short length;
};

/*
 * Either side. Compile the list for a box whose root holds CAPABILITIES (bit N is capability N).
 * Calls made for another processor's or the x32 table of numbers are refused.
 */
void seccomp_compile(uint64_t capabilities, struct filter *filter);

/*
 * Box, the last of its privileges. Put the compiled list on this process and all that come of it,
 * for good. Needs no_new_privs. An error ends the tool.
 */
void seccomp_install(uint64_t capabilities);

#endif
