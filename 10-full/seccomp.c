#include "seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#else
#error "the list of system calls is for x86-64 and arm64"
#endif

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#define NAMESPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)
#define X32_CALLS          0x40000000 /* __X32_SYSCALL_BIT */
#define REFUSE_WITH(error) (SECCOMP_RET_ERRNO | (error))
#define LENGTH(array)      (sizeof(array) / sizeof((array)[0]))
#define FIELD(name)        ((uint32_t)offsetof(struct seccomp_data, name))

/* Numbers FIRST up to the next range's FIRST get the same ANSWER. */
struct range {
    uint32_t first;
    enum answer answer;
};

/* One instruction; the kernel's names for its parts are in bpf(4) of the BSDs. */
static void put(struct filter *filter, uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false)
{
    if (filter->length == FILTER_ROOM)
        fail("seccomp: the filter does not fit its room");
    filter->code[filter->length++] = (struct sock_filter){code, if_true, if_false, k};
}

static void put_load(struct filter *filter, uint32_t field)
{
    put(filter, BPF_LD | BPF_W | BPF_ABS, field, 0, 0);
}

static void put_return(struct filter *filter, uint32_t action)
{
    put(filter, BPF_RET | BPF_K, action, 0, 0);
}

/*
 * The ACTION if the argument is one of COUNT VALUES, else OTHERWISE. The kernel reads only the
 * lower 32 bits of the four arguments that are looked at here. To compare all 64 is a known
 * mistake: junk in the upper half then walks past the check (CVE-2019-10063).
 */
static void put_choice(struct filter *filter, uint32_t argument, const uint32_t *values,
                       size_t count, uint32_t action, uint32_t otherwise)
{
    put_load(filter, argument);
    for (size_t i = 0; i < count; i++) {
        put(filter, BPF_JMP | BPF_JEQ | BPF_K, values[i], 0, 1);
        put_return(filter, action);
    }
    put_return(filter, otherwise);
}

static const uint32_t typing[] = {TIOCSTI, TIOCLINUX};
static const uint32_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET};
static const uint32_t personas[] = {PER_LINUX, PER_LINUX32, UNAME26, PER_LINUX32 | UNAME26,
                                    0xffffffff /* only asks */};

/* A leaf of the tree. */
static void put_answer(struct filter *filter, enum answer answer)
{
    switch (answer) {
    case ANSWER_ALLOW:
        put_return(filter, SECCOMP_RET_ALLOW);
        break;
    case ANSWER_REFUSE:
        put_return(filter, REFUSE_WITH(EPERM));
        break;
    case ANSWER_UNKNOWN:
    case ANSWER_ABSENT:
        put_return(filter, REFUSE_WITH(ENOSYS));
        break;
    case CHECK_CLONE:
        put_load(filter, FIELD(args[0]));
        put(filter, BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 0, 1);
        put_return(filter, REFUSE_WITH(EPERM));
        put_return(filter, SECCOMP_RET_ALLOW);
        break;
    case CHECK_IOCTL:
        put_choice(filter, FIELD(args[1]), typing, LENGTH(typing), REFUSE_WITH(EPERM),
                   SECCOMP_RET_ALLOW);
        break;
    case CHECK_PERSONALITY:
        put_choice(filter, FIELD(args[0]), personas, LENGTH(personas), SECCOMP_RET_ALLOW,
                   REFUSE_WITH(EPERM));
        break;
    case CHECK_SOCKET:
        put_choice(filter, FIELD(args[0]), families, LENGTH(families), SECCOMP_RET_ALLOW,
                   REFUSE_WITH(EAFNOSUPPORT));
        break;
    }
}

/*
 * The tree over COUNT ranges: is the number in the upper half of them? The lower half follows at
 * once; the upper half is a jump away, over as many instructions as the lower turned out to have.
 */
static void put_tree(struct filter *filter, const struct range *ranges, int count)
{
    if (count == 1) {
        put_answer(filter, ranges[0].answer);
        return;
    }
    int middle = count / 2;
    int at = filter->length;
    put(filter, BPF_JMP | BPF_JGE | BPF_K, ranges[middle].first, 0, 0);
    put_tree(filter, ranges, middle);
    int distance = filter->length - at - 1;
    if (distance > UINT8_MAX)
        fail("seccomp: a branch of the filter is too long");
    filter->code[at].jt = (uint8_t)distance;
    put_tree(filter, ranges + middle, count - middle);
}

/* Neighbours with the same answer are one range. Returns how many there are. */
static int make_ranges(const uint8_t answers[SYSCALLS], struct range ranges[SYSCALLS])
{
    int count = 0;

    for (uint32_t number = 0; number < SYSCALLS; number++)
        if (count == 0 || ranges[count - 1].answer != (enum answer)answers[number])
            ranges[count++] = (struct range){number, answers[number]};
    return count;
}

void seccomp_compile(uint64_t capabilities, struct filter *filter)
{
    uint8_t answers[SYSCALLS];
    struct range ranges[SYSCALLS];

    syscalls_answers(capabilities, answers);
    filter->length = 0;
    put_load(filter, FIELD(arch));
    put(filter, BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0);
    put_return(filter, SECCOMP_RET_KILL_PROCESS); /* the numbers mean other calls there */
    put_load(filter, FIELD(nr));
#ifdef __x86_64__
    put(filter, BPF_JMP | BPF_JGE | BPF_K, X32_CALLS, 0, 1);
    put_return(filter, REFUSE_WITH(ENOSYS));
#endif
    put_tree(filter, ranges, make_ranges(answers, ranges));
}

void seccomp_install(uint64_t capabilities)
{
    static struct filter filter;

    seccomp_compile(capabilities, &filter);
    struct sock_fprog program = {.len = filter.length, .filter = filter.code};
    explain("\tseccomp(SECCOMP_SET_MODE_FILTER, %u instructions)", filter.length);
    /* EXERCISE 10.2: let the kernel ask the filter about each call from here on. seccomp(2) */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) ==
        -1)
        die("seccomp");
    /* END */
}
