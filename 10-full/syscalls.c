#include "seccomp.h"

#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#define CAP(name) (UINT64_C(1) << CAP_##name)

/* Calls with the same answer. Any of the capabilities OPENED_BY turns it into ANSWER_ALLOW. */
struct group {
    enum answer answer;
    uint64_t opened_by;
    const short *calls; /* ends with -1 */
};
/* clang-format off */
#define GROUP(answer, opened_by, ...) {answer, opened_by, (const short[]){__VA_ARGS__, -1}}
#define REFUSE(opened_by, ...)        GROUP(ANSWER_REFUSE, opened_by, __VA_ARGS__)

/*
 * Each call up to number 469, file_setattr of Linux 6.17, has been looked at, and is allowed unless
 * it stands below: files, memory, processes, signals, time, sockets that are open. Later ones are
 * absent until somebody has looked at them, also those that may come to fill the gap in the
 * numbers. From 424 on, numbers are the same on all machines; some are newer than some headers.
 */
enum {
#ifdef __x86_64__
    GAP = 337, /* behind uprobe */
#else
    GAP = 295, /* behind kexec_file_load */
#endif
    AFTER_GAP = 424,
    NEW_quotactl_fd = 443, NEW_set_mempolicy_home_node = 450, NEW_statmount = 457, NEW_listmount,
    NEW_lsm_get_self_attr, NEW_lsm_set_self_attr, NEW_lsm_list_modules, NEW_open_tree_attr = 467,
    NEW_file_setattr = 469
};
/* clang-format on */

static const struct group groups[] = {
    /* --- allowed or not by an argument --- */

    GROUP(CHECK_CLONE, CAP(SYS_ADMIN), SYS_clone), /* a new process, but no new namespace */
    /* Its flags lie in memory, where a filter can't look; libc falls back on clone. */
    GROUP(ANSWER_ABSENT, CAP(SYS_ADMIN), SYS_clone3),
    GROUP(CHECK_IOCTL, 0, SYS_ioctl), /* but TIOCSTI and TIOCLINUX type into the terminal */
    /* Linux as usual, and what uname calls it, but not READ_IMPLIES_EXEC or ADDR_NO_RANDOMIZE. */
    GROUP(CHECK_PERSONALITY, 0, SYS_personality),
    /* Local, IPv4, IPv6, netlink and packet sockets; bugs live in the families that few use. */
    GROUP(CHECK_SOCKET, 0, SYS_socket, SYS_socketpair),

    /* --- refused, unless the capability that the kernel asks for as well has been added --- */

    /* Mounts and namespaces: what a box is made of, and much kernel code. */
    REFUSE(CAP(SYS_ADMIN), SYS_mount, SYS_umount2, SYS_pivot_root, SYS_open_tree,
           NEW_open_tree_attr, SYS_move_mount, SYS_mount_setattr, SYS_fsopen, SYS_fsconfig,
           SYS_fsmount, SYS_fspick, NEW_statmount, NEW_listmount, SYS_unshare, SYS_setns),
    REFUSE(CAP(SYS_ADMIN), SYS_sethostname, SYS_setdomainname), /* names of the machine */
    /* Quotas, watching whole file systems, security modules. */
    REFUSE(CAP(SYS_ADMIN), SYS_quotactl, NEW_quotactl_fd, SYS_fanotify_init, SYS_lookup_dcookie,
           NEW_lsm_get_self_attr, NEW_lsm_set_self_attr, NEW_lsm_list_modules),
#ifdef __x86_64__
    REFUSE(CAP(SYS_RAWIO), SYS_iopl, SYS_ioperm), /* the machine's input and output ports */
    /* Nobody has called these for decades. */
    GROUP(ANSWER_ABSENT, 0, SYS_uselib, SYS_ustat, SYS_sysfs, SYS__sysctl),
#endif
    REFUSE(CAP(SYS_CHROOT), SYS_chroot),        /* a new root; pivot_root keeps it inside */
    REFUSE(CAP(BPF) | CAP(SYS_ADMIN), SYS_bpf), /* programs in the kernel, to take it over */
    REFUSE(CAP(PERFMON) | CAP(SYS_ADMIN), SYS_perf_event_open), /* side channels, and bugs */
    REFUSE(CAP(DAC_READ_SEARCH), SYS_open_by_handle_at), /* files by handle, past all directories */
    REFUSE(CAP(SYS_PTRACE), SYS_kcmp, SYS_pidfd_getfd, SYS_process_madvise),       /* into others */
    REFUSE(CAP(SYS_MODULE), SYS_init_module, SYS_finit_module, SYS_delete_module), /* kernel code */
    REFUSE(CAP(SYS_BOOT), SYS_reboot, SYS_kexec_load, SYS_kexec_file_load), /* another kernel */
    REFUSE(CAP(SYS_TIME), SYS_settimeofday, SYS_clock_settime), /* the machine's clock */
    REFUSE(CAP(SYSLOG), SYS_syslog),                            /* kernel messages */
    REFUSE(CAP(SYS_PACCT), SYS_acct),                           /* accounting of all processes */
    REFUSE(CAP(SYS_TTY_CONFIG), SYS_vhangup),                   /* hanging up terminals */
    /* Which memory bank holds which page. */
    REFUSE(CAP(SYS_NICE), SYS_get_mempolicy, SYS_set_mempolicy, NEW_set_mempolicy_home_node,
           SYS_mbind, SYS_migrate_pages, SYS_move_pages),

    /* --- refused always --- */

    REFUSE(0, SYS_swapon, SYS_swapoff),                  /* swap is the machine's */
    REFUSE(0, SYS_add_key, SYS_request_key, SYS_keyctl), /* keyrings know nothing of containers */
    REFUSE(0, SYS_userfaultfd), /* stops the kernel at a chosen point: helps to exploit races */
    /* Does input and output past this filter, and has had many bugs. */
    REFUSE(0, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register),
};

void syscalls_answers(uint64_t capabilities, uint8_t answers[SYSCALLS])
{
    memset(answers, ANSWER_ABSENT, SYSCALLS);
    memset(answers, ANSWER_ALLOW, GAP);
    memset(answers + AFTER_GAP, ANSWER_ALLOW, NEW_file_setattr + 1 - AFTER_GAP);
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        bool opened = groups[i].opened_by & capabilities;
        for (const short *call = groups[i].calls; *call >= 0; call++)
            answers[*call] = opened ? ANSWER_ALLOW : groups[i].answer;
    }
}
