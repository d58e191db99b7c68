/*
 * A filter over system calls: what the box may ask the kernel for at all. See seccomp(2).
 *
 * syscalls.c lists what is refused, in groups, with reasons. seccomp.c turns the list into a
 * program for the kernel's classic BPF machine: a binary tree over call numbers, in which about
 * eight comparisons find any of them.
 */
#ifndef SECCOMP_H
#define SECCOMP_H

#include <linux/filter.h>
#include <stdint.h>

/* What happens to a call. With CHECK, one of its arguments decides. */
enum answer {
    ANSWER_ABSENT = 0, /* ENOSYS: not on the list; the program falls back on an older call */
    ANSWER_ALLOW,
    ANSWER_REFUSE,     /* EPERM */
    CHECK_CLONE,       /* the flags of clone(2): no new namespaces */
    CHECK_IOCTL,       /* the request of ioctl(2): none that types into a terminal */
    CHECK_PERSONALITY, /* the persona of personality(2): none that weakens memory protection */
    CHECK_SOCKET,      /* the family of socket(2): the well-trodden ones */
};

/* Calls are numbered from 0; the list has none from here on. */
enum { SYSCALLS = 512 };

/* Either side. Fill in the answer for each call number in a box whose root holds CAPABILITIES (bit
 * N is capability N): much as in docker's default profile; the reasons are in syscalls.c. */
void syscalls_answers(uint64_t capabilities, uint8_t answers[SYSCALLS]);

/* A filter being built. With every call in a range of its own it would have about 1100. */
struct filter {
    struct sock_filter code[2048];
    unsigned short length;
};

/* Either side. Compile the list for a box whose root holds CAPABILITIES. Calls made for another
 * processor's table of numbers kill the process; those of x32's are absent. */
void seccomp_compile(uint64_t capabilities, struct filter *filter);

/* Box, after all other privileges are gone. Put the compiled list on this process and its
 * descendants for good. Needs no_new_privs. An error ends the tool. */
void seccomp_install(uint64_t capabilities);

#endif
