/*
 * A filter over system calls: what the box may ask the kernel for at all. See seccomp(2).
 *
 * The list is in syscalls.c. Here it becomes a program for the kernel's classic BPF machine: a
 * binary tree over call numbers, so that some eight comparisons find any of them. (Engines long
 * used a list of hundreds, which costs five times as much to install and more on every call.)
 */
#ifndef SECCOMP_H
#define SECCOMP_H

#include <linux/filter.h>
#include <stdint.h>

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
