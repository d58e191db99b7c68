#define _GNU_SOURCE
#include "seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
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

#define LOAD               (BPF_LD | BPF_W | BPF_ABS)
#define RETURN             (BPF_RET | BPF_K)
#define JUMP_IF(test)      (BPF_JMP | (test) | BPF_K)
#define ALLOW              SECCOMP_RET_ALLOW
#define REFUSE_WITH(error) (SECCOMP_RET_ERRNO | (error))
#define FIELD(name)        ((uint32_t)offsetof(struct seccomp_data, name))

/* One instruction; the kernel's names for its parts are in bpf(4) of the BSDs. */
static void put(struct filter *filter, uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false)
{
    filter->code[filter->length++] = (struct sock_filter){code, if_true, if_false, k};
}

static const uint32_t namespaces[] = {CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                      CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET},
                      typing[] = {TIOCSTI, TIOCLINUX},
                      families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET},
                      personas[] = {PER_LINUX, PER_LINUX32, UNAME26, PER_LINUX32 | UNAME26,
                                    0xffffffff /* only asks */};

/*
 * The leaves of the tree: ACTION if ARGUMENT is one of VALUES (BPF_JEQ), or has a bit in common
 * with one (BPF_JSET), else OTHERWISE. The kernel reads only the lower 32 bits of these arguments.
 * To compare all 64 is a known mistake: junk in the upper half then walks past the check
 * (CVE-2019-10063).
 */
static const struct {
    uint32_t otherwise, argument, action;
    uint16_t compare;
    int count;
    const uint32_t *values;
} leaves[] = {
    [ANSWER_ABSENT] = {.otherwise = REFUSE_WITH(ENOSYS)},
    [ANSWER_ALLOW] = {.otherwise = ALLOW},
    [ANSWER_REFUSE] = {.otherwise = REFUSE_WITH(EPERM)},
    [CHECK_CLONE] = {ALLOW, FIELD(args[0]), REFUSE_WITH(EPERM), BPF_JSET, 1, namespaces},
    [CHECK_IOCTL] = {ALLOW, FIELD(args[1]), REFUSE_WITH(EPERM), BPF_JEQ, 2, typing},
    [CHECK_PERSONALITY] = {REFUSE_WITH(EPERM), FIELD(args[0]), ALLOW, BPF_JEQ, 5, personas},
    [CHECK_SOCKET] = {REFUSE_WITH(EAFNOSUPPORT), FIELD(args[0]), ALLOW, BPF_JEQ, 5, families},
};

static void put_leaf(struct filter *filter, enum answer answer)
{
    if (leaves[answer].count > 0)
        put(filter, LOAD, leaves[answer].argument, 0, 0);
    for (int i = 0; i < leaves[answer].count; i++) {
        put(filter, JUMP_IF(leaves[answer].compare), leaves[answer].values[i], 0, 1);
        put(filter, RETURN, leaves[answer].action, 0, 0);
    }
    put(filter, RETURN, leaves[answer].otherwise, 0, 0);
}

/*
 * The tree over COUNT ranges of numbers with the same answer, of which FIRSTS has the first ones:
 * is the number in the upper half of them? The lower half follows at once; the upper half is a jump
 * away, over as many instructions as the lower turned out to have.
 */
static void put_tree(struct filter *filter, const uint8_t *answers, const uint16_t *firsts,
                     int count)
{
    int at = filter->length, middle = count / 2;

    if (count == 1) {
        put_leaf(filter, (enum answer)answers[firsts[0]]);
        return;
    }
    put(filter, JUMP_IF(BPF_JGE), firsts[middle], 0, 0);
    put_tree(filter, answers, firsts, middle);
    int distance = filter->length - at - 1;
    if (distance > UINT8_MAX)
        fail("seccomp: a branch of the filter is too long");
    filter->code[at].jt = (uint8_t)distance;
    put_tree(filter, answers, firsts + middle, count - middle);
}

void seccomp_compile(uint64_t capabilities, struct filter *filter)
{
    uint8_t answers[SYSCALLS];
    uint16_t firsts[SYSCALLS];
    int count = 0;

    syscalls_answers(capabilities, answers);
    filter->length = 0;
    /* EXERCISE 10.2: write the program. Which processor's numbers are these? And which range of
       equal answers is this one in? put_tree() asks that. seccomp(2) */
    for (int number = 0; number < SYSCALLS; number++)
        if (number == 0 || answers[number] != answers[number - 1])
            firsts[count++] = (uint16_t)number;
    put(filter, LOAD, FIELD(arch), 0, 0);
    put(filter, JUMP_IF(BPF_JEQ), OUR_ARCH, 1, 0);
    put(filter, RETURN, SECCOMP_RET_KILL_PROCESS, 0, 0); /* the numbers mean other calls there */
    put(filter, LOAD, FIELD(nr), 0, 0);
    put_tree(filter, answers, firsts, count); /* x32's numbers are beyond the list: absent */
    /* END */
}

void seccomp_install(uint64_t capabilities)
{
    static struct filter filter;

    seccomp_compile(capabilities, &filter);
    struct sock_fprog program = {.len = filter.length, .filter = filter.code};
    explain("\tseccomp(SECCOMP_SET_MODE_FILTER, %u instructions)", filter.length);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) ==
        -1)
        die("seccomp");
}
