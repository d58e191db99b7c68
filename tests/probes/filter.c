/*
 * filter: run the compiled seccomp filter as the kernel would, for each call number, and compare
 * the outcome with the list it was compiled from. Prints "N instructions" and ends with 0, or
 * prints each difference and ends with 1.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "../../10-full/capability.h"
#include "../../10-full/seccomp.h"

#ifdef __x86_64__
enum { ARCH = (int)AUDIT_ARCH_X86_64, OTHER_ARCH = AUDIT_ARCH_I386 };
#else
enum { ARCH = (int)AUDIT_ARCH_AARCH64, OTHER_ARCH = AUDIT_ARCH_ARM };
#endif
#define ERROR(number) (SECCOMP_RET_ERRNO | (number))

static int differences;
static int max_steps;

/* The few instructions that the filter is made of. Anything else is an error. */
static uint32_t run(const struct filter *filter, const struct seccomp_data *data)
{
    uint32_t accumulator = 0;
    int at = 0, steps = 0;

    while (at < filter->length) {
        const struct sock_filter *step = &filter->code[at++];
        bool yes;
        steps++;
        switch (step->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            memcpy(&accumulator, (const char *)data + step->k, sizeof(accumulator));
            continue;
        case BPF_RET | BPF_K:
            max_steps = steps > max_steps ? steps : max_steps;
            return step->k;
        case BPF_JMP | BPF_JEQ | BPF_K:
            yes = accumulator == step->k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            yes = accumulator >= step->k;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            yes = accumulator & step->k;
            break;
        default:
            return ~0U;
        }
        at += yes ? step->jt : step->jf;
    }
    return ~0U;
}

/* In words, such as "error 1". */
static const char *verdict(uint32_t action, char *text)
{
    if (action == SECCOMP_RET_ALLOW)
        return "allowed";
    if (action == SECCOMP_RET_KILL_PROCESS)
        return "killed";
    if ((action & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO)
        return "no verdict";
    sprintf(text, "error %u", action & SECCOMP_RET_DATA);
    return text;
}

static void expect(const struct filter *filter, int arch, long number, uint64_t first,
                   uint64_t second, uint32_t expected)
{
    struct seccomp_data data = {.arch = (uint32_t)arch, .nr = (int)number, .args = {first, second}};
    uint32_t got = run(filter, &data);

    if (got == expected)
        return;
    if (differences++ >= 20)
        return;
    char one[32], other[32];
    printf("expected call %ld(0x%llx, 0x%llx)%s to be %s, got %s\n", number,
           (unsigned long long)first, (unsigned long long)second,
           arch == ARCH ? "" : " for another processor", verdict(expected, one),
           verdict(got, other));
}

static uint32_t action(uint8_t answer)
{
    if (answer == ANSWER_ABSENT)
        return ERROR(ENOSYS);
    return answer == ANSWER_REFUSE ? ERROR(EPERM) : SECCOMP_RET_ALLOW;
}

/* All zero arguments pass every check but that of socket: there is no family 0. */
static void each_number(const struct filter *filter, uint64_t capabilities)
{
    uint8_t answers[SYSCALLS];

    syscalls_answers(capabilities, answers);
    for (long number = 0; number < 2L * SYSCALLS; number++) {
        uint8_t answer = number < SYSCALLS ? answers[number] : (uint8_t)ANSWER_ABSENT;
        uint32_t expected = answer == CHECK_SOCKET ? ERROR(EAFNOSUPPORT) : action(answer);
        expect(filter, ARCH, number, 0, 0, expected);
        expect(filter, OTHER_ARCH, number, 0, 0, SECCOMP_RET_KILL_PROCESS);
        expect(filter, ARCH, number | 0x40000000, 0, 0, ERROR(ENOSYS)); /* x32 */
    }
    for (long later = 470; later < SYSCALLS; later++) /* nobody has looked at them yet */
        expect(filter, ARCH, later, 0, 0, ERROR(ENOSYS));
    expect(filter, ARCH, 423, 0, 0, ERROR(ENOSYS)); /* in the gap */
    expect(filter, ARCH, -1, 0, 0, ERROR(ENOSYS));
}

static void each_argument(const struct filter *filter)
{
    const uint64_t junk = 0xdeadbeefULL << 32;

    for (int flag = 0; flag < 32; flag++) {
        bool namespace = (0x7e020000U >> flag) & 1;
        expect(filter, ARCH, SYS_clone, 1ULL << flag, 0,
               namespace ? ERROR(EPERM) : SECCOMP_RET_ALLOW);
    }
    for (uint64_t family = 0; family < 64; family++) {
        bool known = family == 1 || family == 2 || family == 10 || family == 16 || family == 17;
        uint32_t expected = known ? SECCOMP_RET_ALLOW : ERROR(EAFNOSUPPORT);
        expect(filter, ARCH, SYS_socket, family, 0, expected);
        expect(filter, ARCH, SYS_socket, family | junk, 0, expected);
        expect(filter, ARCH, SYS_socketpair, family, 0, expected);
    }
    for (uint64_t request = 0x5400; request < 0x5480; request++) {
        bool types = request == 0x5412 || request == 0x541c;
        uint32_t expected = types ? ERROR(EPERM) : SECCOMP_RET_ALLOW;
        expect(filter, ARCH, SYS_ioctl, 0, request, expected);
        expect(filter, ARCH, SYS_ioctl, 0, request | junk, expected);
    }
    expect(filter, ARCH, SYS_personality, 0x0008, 0, SECCOMP_RET_ALLOW);
    expect(filter, ARCH, SYS_personality, 0x20008, 0, SECCOMP_RET_ALLOW);
    expect(filter, ARCH, SYS_personality, 0xffffffff, 0, SECCOMP_RET_ALLOW);
    expect(filter, ARCH, SYS_personality, 0x0400000, 0, ERROR(EPERM)); /* READ_IMPLIES_EXEC */
    expect(filter, ARCH, SYS_personality, 0x0040000, 0, ERROR(EPERM)); /* ADDR_NO_RANDOMIZE */
}

int main(void)
{
    static struct filter filter;
    uint64_t usual = capability_chosen(0, 0);

    seccomp_compile(~UINT64_C(0), &filter);
    each_number(&filter, ~UINT64_C(0));
    for (int capability = 0; capability < 41; capability++) {
        seccomp_compile(usual | UINT64_C(1) << capability, &filter);
        each_number(&filter, usual | UINT64_C(1) << capability);
    }
    seccomp_compile(usual, &filter);
    each_number(&filter, usual);
    each_argument(&filter);
    max_steps = 0;
    for (long number = 0; number < SYSCALLS; number++)
        run(&filter, &(struct seccomp_data){.arch = (uint32_t)ARCH, .nr = (int)number});
    printf("%u instructions, at most %d steps\n", filter.length, max_steps);
    return differences == 0 ? 0 : 1;
}
