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
#define ALLOW(...)                    GROUP(ANSWER_ALLOW, 0, __VA_ARGS__)
#define REFUSE(opened_by, ...)        GROUP(ANSWER_REFUSE, opened_by, __VA_ARGS__)

/* Newer than some headers. From 424 on, numbers are the same on all machines. */
enum {
    NEW_quotactl_fd = 443, NEW_memfd_secret = 447, NEW_process_mrelease, NEW_futex_waitv,
    NEW_set_mempolicy_home_node, NEW_cachestat, NEW_fchmodat2, NEW_map_shadow_stack, NEW_futex_wake,
    NEW_futex_wait, NEW_futex_requeue, NEW_statmount, NEW_listmount, NEW_lsm_get_self_attr,
    NEW_lsm_set_self_attr, NEW_lsm_list_modules, NEW_mseal, NEW_setxattrat, NEW_getxattrat,
    NEW_listxattrat, NEW_removexattrat, NEW_open_tree_attr, NEW_file_getattr, NEW_file_setattr
};
_Static_assert(NEW_file_setattr == 469, "none is left out");
/* clang-format on */

static const struct group groups[] = {
    /* --- allowed: what nearly every program does --- */

    /* Read, write and move about in open files. */
    ALLOW(SYS_read, SYS_write, SYS_pread64, SYS_pwrite64, SYS_readv, SYS_writev, SYS_preadv,
          SYS_pwritev, SYS_preadv2, SYS_pwritev2, SYS_lseek, SYS_sendfile, SYS_splice, SYS_tee,
          SYS_vmsplice, SYS_copy_file_range, SYS_readahead, SYS_fadvise64, SYS_fallocate,
          SYS_ftruncate, SYS_truncate, SYS_fsync, SYS_fdatasync, SYS_sync, SYS_syncfs,
          SYS_sync_file_range, NEW_cachestat),
    /* Open and close files, duplicate and lock descriptors. */
    ALLOW(SYS_openat, SYS_openat2, SYS_close, SYS_close_range, SYS_dup, SYS_dup3, SYS_fcntl,
          SYS_flock, SYS_pipe2, SYS_memfd_create, NEW_memfd_secret, SYS_name_to_handle_at),
    /* Look at files and directories. */
    ALLOW(SYS_newfstatat, SYS_fstat, SYS_statx, SYS_statfs, SYS_fstatfs, SYS_faccessat,
          SYS_faccessat2, SYS_getdents64, SYS_readlinkat, SYS_getcwd, SYS_chdir, SYS_fchdir,
          SYS_getxattr, SYS_lgetxattr, SYS_fgetxattr, NEW_getxattrat, SYS_listxattr, SYS_llistxattr,
          SYS_flistxattr, NEW_listxattrat, NEW_file_getattr),
    /* Make, change and remove files; mknod asks for a capability for devices. */
    ALLOW(SYS_mkdirat, SYS_mknodat, SYS_linkat, SYS_symlinkat, SYS_unlinkat, SYS_renameat,
          SYS_renameat2, SYS_fchmod, SYS_fchmodat, NEW_fchmodat2, SYS_fchown, SYS_fchownat,
          SYS_utimensat, SYS_umask, SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr, NEW_setxattrat,
          SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr, NEW_removexattrat, NEW_file_setattr),
    /* Wait for events. */
    ALLOW(SYS_ppoll, SYS_pselect6, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait,
          SYS_epoll_pwait2, SYS_eventfd2, SYS_signalfd4, SYS_timerfd_create, SYS_timerfd_settime,
          SYS_timerfd_gettime, SYS_inotify_init1, SYS_inotify_add_watch, SYS_inotify_rm_watch,
          SYS_fanotify_mark),
    /* Asynchronous input and output of the old kind. */
    ALLOW(SYS_io_setup, SYS_io_destroy, SYS_io_submit, SYS_io_cancel, SYS_io_getevents,
          SYS_io_pgetevents),
    /* Memory. */
    ALLOW(SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_msync,
          SYS_mincore, SYS_mlock, SYS_mlock2, SYS_mlockall, SYS_munlock, SYS_munlockall,
          SYS_membarrier, SYS_remap_file_pages, SYS_pkey_alloc, SYS_pkey_free, SYS_pkey_mprotect,
          NEW_map_shadow_stack, NEW_mseal, NEW_process_mrelease),
    /* Start, end and await processes and threads. */
    ALLOW(SYS_execve, SYS_execveat, SYS_exit, SYS_exit_group, SYS_wait4, SYS_waitid,
          SYS_set_tid_address, SYS_set_robust_list, SYS_get_robust_list, SYS_rseq, SYS_futex,
          NEW_futex_waitv, NEW_futex_wake, NEW_futex_wait, NEW_futex_requeue, SYS_pidfd_open,
          SYS_prctl, SYS_restart_syscall),
    /* Who a process is: ids, groups, sessions, capabilities. */
    ALLOW(SYS_getpid, SYS_getppid, SYS_gettid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
          SYS_getresuid, SYS_getresgid, SYS_getgroups, SYS_setuid, SYS_setgid, SYS_setreuid,
          SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setfsuid, SYS_setfsgid, SYS_setgroups,
          SYS_getpgid, SYS_setpgid, SYS_getsid, SYS_setsid, SYS_capget, SYS_capset),
    /* Signals. */
    ALLOW(SYS_kill, SYS_tkill, SYS_tgkill, SYS_pidfd_send_signal, SYS_rt_sigaction,
          SYS_rt_sigprocmask, SYS_rt_sigpending, SYS_rt_sigsuspend, SYS_rt_sigtimedwait,
          SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_rt_sigreturn, SYS_sigaltstack),
    /* Time and timers; the clock can't be set without a capability. */
    ALLOW(SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday,
          SYS_times, SYS_getitimer, SYS_setitimer, SYS_timer_create, SYS_timer_settime,
          SYS_timer_gettime, SYS_timer_getoverrun, SYS_timer_delete, SYS_adjtimex,
          SYS_clock_adjtime),
    /* Scheduling and limits, what machine this is, random numbers. */
    ALLOW(SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_sched_getattr,
          SYS_sched_setattr, SYS_sched_getparam, SYS_sched_setparam, SYS_sched_getscheduler,
          SYS_sched_setscheduler, SYS_sched_get_priority_max, SYS_sched_get_priority_min,
          SYS_sched_rr_get_interval, SYS_getpriority, SYS_setpriority, SYS_ioprio_get,
          SYS_ioprio_set, SYS_getrlimit, SYS_setrlimit, SYS_prlimit64, SYS_getrusage, SYS_getcpu,
          SYS_uname, SYS_sysinfo, SYS_getrandom),
    /* Sockets that are open. */
    ALLOW(SYS_bind, SYS_listen, SYS_accept, SYS_accept4, SYS_connect, SYS_shutdown, SYS_getsockname,
          SYS_getpeername, SYS_getsockopt, SYS_setsockopt, SYS_sendto, SYS_recvfrom, SYS_sendmsg,
          SYS_recvmsg, SYS_sendmmsg, SYS_recvmmsg),
    /* System V and POSIX queues, semaphores, shared memory: the box has a namespace of its own. */
    ALLOW(SYS_msgget, SYS_msgsnd, SYS_msgrcv, SYS_msgctl, SYS_semget, SYS_semop, SYS_semtimedop,
          SYS_semctl, SYS_shmget, SYS_shmat, SYS_shmdt, SYS_shmctl, SYS_mq_open, SYS_mq_unlink,
          SYS_mq_timedsend, SYS_mq_timedreceive, SYS_mq_notify, SYS_mq_getsetattr),
    /* Give up more: filters and Landlock rules only ever take away. */
    ALLOW(SYS_seccomp, SYS_landlock_create_ruleset, SYS_landlock_add_rule,
          SYS_landlock_restrict_self),
    /* Debuggers: of one's own processes; safe together with seccomp since Linux 4.8. */
    ALLOW(SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev),
#ifdef __x86_64__
    /* Older forms of the above, which only x86-64 still has. */
    ALLOW(SYS_open, SYS_creat, SYS_stat, SYS_lstat, SYS_access, SYS_getdents, SYS_readlink,
          SYS_mkdir, SYS_rmdir, SYS_mknod, SYS_link, SYS_symlink, SYS_unlink, SYS_rename, SYS_chmod,
          SYS_chown, SYS_lchown, SYS_utime, SYS_utimes, SYS_futimesat, SYS_dup2, SYS_pipe, SYS_poll,
          SYS_select, SYS_epoll_create, SYS_epoll_wait, SYS_epoll_ctl_old, SYS_epoll_wait_old,
          SYS_eventfd, SYS_signalfd, SYS_inotify_init, SYS_fork, SYS_vfork, SYS_getpgrp, SYS_alarm,
          SYS_pause, SYS_time, SYS_get_thread_area, SYS_set_thread_area),
    /* The thread pointer, segments for Wine, and what the kernel itself puts into programs. */
    ALLOW(SYS_arch_prctl, SYS_modify_ldt, 335 /* uretprobe */, 336 /* uprobe */),
    REFUSE(CAP(SYS_RAWIO), SYS_iopl, SYS_ioperm), /* the machine's input and output ports */
#endif

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
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        bool opened = groups[i].opened_by & capabilities;
        for (const short *call = groups[i].calls; *call >= 0; call++)
            answers[*call] = opened ? ANSWER_ALLOW : groups[i].answer;
    }
}
