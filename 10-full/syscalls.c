#include "seccomp.h"

#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#define CAP(name)  (UINT64_C(1) << CAP_##name)
#define CALLS(...) ((const short[]){__VA_ARGS__, -1})

struct group {
    const char *what; /* what these calls are for, or why they are refused */
    enum answer answer;
    uint64_t opened_by; /* any of these capabilities turns the answer into ANSWER_ALLOW */
    const short *calls; /* ends with -1 */
};

/* clang-format off */

/* Newer than some headers. From 424 on, numbers are the same on all machines. */
enum {
    NEW_quotactl_fd = 443, NEW_memfd_secret = 447, NEW_process_mrelease, NEW_futex_waitv,
    NEW_set_mempolicy_home_node, NEW_cachestat, NEW_fchmodat2, NEW_map_shadow_stack, NEW_futex_wake,
    NEW_futex_wait, NEW_futex_requeue, NEW_statmount, NEW_listmount, NEW_lsm_get_self_attr,
    NEW_lsm_set_self_attr, NEW_lsm_list_modules, NEW_mseal, NEW_setxattrat, NEW_getxattrat,
    NEW_listxattrat, NEW_removexattrat, NEW_open_tree_attr, NEW_file_getattr, NEW_file_setattr
};
_Static_assert(NEW_file_setattr == 469, "none is left out");

static const struct group groups[] = {

/* What nearly every program does. */

{"read, write and move about in open files", ANSWER_ALLOW, 0,
 CALLS(SYS_read, SYS_write, SYS_pread64, SYS_pwrite64, SYS_readv, SYS_writev, SYS_preadv,
    SYS_pwritev, SYS_preadv2, SYS_pwritev2, SYS_lseek, SYS_sendfile, SYS_splice, SYS_tee,
    SYS_vmsplice, SYS_copy_file_range, SYS_readahead, SYS_fadvise64, SYS_fallocate, SYS_ftruncate,
    SYS_truncate, SYS_fsync, SYS_fdatasync, SYS_sync, SYS_syncfs, SYS_sync_file_range,
    NEW_cachestat)},

{"open and close files, duplicate and lock descriptors", ANSWER_ALLOW, 0,
 CALLS(SYS_openat, SYS_openat2, SYS_close, SYS_close_range, SYS_dup, SYS_dup3, SYS_fcntl,
    SYS_flock, SYS_pipe2, SYS_memfd_create, NEW_memfd_secret, SYS_name_to_handle_at)},

{"look at files and directories", ANSWER_ALLOW, 0,
 CALLS(SYS_newfstatat, SYS_fstat, SYS_statx, SYS_statfs, SYS_fstatfs, SYS_faccessat,
    SYS_faccessat2, SYS_getdents64, SYS_readlinkat, SYS_getcwd, SYS_chdir, SYS_fchdir, SYS_getxattr,
    SYS_lgetxattr, SYS_fgetxattr, NEW_getxattrat, SYS_listxattr, SYS_llistxattr, SYS_flistxattr,
    NEW_listxattrat, NEW_file_getattr)},

{"make, change and remove files; mknod asks for a capability for devices", ANSWER_ALLOW, 0,
 CALLS(SYS_mkdirat, SYS_mknodat, SYS_linkat, SYS_symlinkat, SYS_unlinkat, SYS_renameat,
    SYS_renameat2, SYS_fchmod, SYS_fchmodat, NEW_fchmodat2, SYS_fchown, SYS_fchownat, SYS_utimensat,
    SYS_umask, SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr, NEW_setxattrat, SYS_removexattr,
    SYS_lremovexattr, SYS_fremovexattr, NEW_removexattrat, NEW_file_setattr)},

{"wait for events", ANSWER_ALLOW, 0,
 CALLS(SYS_ppoll, SYS_pselect6, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait,
    SYS_epoll_pwait2, SYS_eventfd2, SYS_signalfd4, SYS_timerfd_create, SYS_timerfd_settime,
    SYS_timerfd_gettime, SYS_inotify_init1, SYS_inotify_add_watch, SYS_inotify_rm_watch,
    SYS_fanotify_mark)},

{"asynchronous input and output of the old kind", ANSWER_ALLOW, 0,
 CALLS(SYS_io_setup, SYS_io_destroy, SYS_io_submit, SYS_io_cancel, SYS_io_getevents,
    SYS_io_pgetevents)},

{"memory", ANSWER_ALLOW, 0,
 CALLS(SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_msync,
    SYS_mincore, SYS_mlock, SYS_mlock2, SYS_mlockall, SYS_munlock, SYS_munlockall, SYS_membarrier,
    SYS_remap_file_pages, SYS_pkey_alloc, SYS_pkey_free, SYS_pkey_mprotect, NEW_map_shadow_stack,
    NEW_mseal, NEW_process_mrelease)},

{"start, end and await processes and threads", ANSWER_ALLOW, 0,
 CALLS(SYS_execve, SYS_execveat, SYS_exit, SYS_exit_group, SYS_wait4, SYS_waitid,
    SYS_set_tid_address, SYS_set_robust_list, SYS_get_robust_list, SYS_rseq, SYS_futex,
    NEW_futex_waitv, NEW_futex_wake, NEW_futex_wait, NEW_futex_requeue, SYS_pidfd_open, SYS_prctl,
    SYS_restart_syscall)},

{"who a process is: ids, groups, sessions, capabilities", ANSWER_ALLOW, 0,
 CALLS(SYS_getpid, SYS_getppid, SYS_gettid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
    SYS_getresuid, SYS_getresgid, SYS_getgroups, SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid,
    SYS_setresuid, SYS_setresgid, SYS_setfsuid, SYS_setfsgid, SYS_setgroups, SYS_getpgid,
    SYS_setpgid, SYS_getsid, SYS_setsid, SYS_capget, SYS_capset)},

{"signals", ANSWER_ALLOW, 0,
 CALLS(SYS_kill, SYS_tkill, SYS_tgkill, SYS_pidfd_send_signal, SYS_rt_sigaction,
    SYS_rt_sigprocmask, SYS_rt_sigpending, SYS_rt_sigsuspend, SYS_rt_sigtimedwait,
    SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_rt_sigreturn, SYS_sigaltstack)},

{"time and timers; the clock can't be set without a capability", ANSWER_ALLOW, 0,
 CALLS(SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday,
    SYS_times, SYS_getitimer, SYS_setitimer, SYS_timer_create, SYS_timer_settime, SYS_timer_gettime,
    SYS_timer_getoverrun, SYS_timer_delete, SYS_adjtimex, SYS_clock_adjtime)},

{"scheduling and limits", ANSWER_ALLOW, 0,
 CALLS(SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_sched_getattr,
    SYS_sched_setattr, SYS_sched_getparam, SYS_sched_setparam, SYS_sched_getscheduler,
    SYS_sched_setscheduler, SYS_sched_get_priority_max, SYS_sched_get_priority_min,
    SYS_sched_rr_get_interval, SYS_getpriority, SYS_setpriority, SYS_ioprio_get, SYS_ioprio_set,
    SYS_getrlimit, SYS_setrlimit, SYS_prlimit64, SYS_getrusage, SYS_getcpu)},

{"what machine this is; random numbers", ANSWER_ALLOW, 0,
 CALLS(SYS_uname, SYS_sysinfo, SYS_getrandom)},

{"sockets that are open", ANSWER_ALLOW, 0,
 CALLS(SYS_bind, SYS_listen, SYS_accept, SYS_accept4, SYS_connect, SYS_shutdown, SYS_getsockname,
    SYS_getpeername, SYS_getsockopt, SYS_setsockopt, SYS_sendto, SYS_recvfrom, SYS_sendmsg,
    SYS_recvmsg, SYS_sendmmsg, SYS_recvmmsg)},

{"System V and POSIX queues, semaphores, shared memory: the box has a namespace of its own",
 ANSWER_ALLOW, 0,
 CALLS(SYS_msgget, SYS_msgsnd, SYS_msgrcv, SYS_msgctl, SYS_semget, SYS_semop, SYS_semtimedop,
    SYS_semctl, SYS_shmget, SYS_shmat, SYS_shmdt, SYS_shmctl, SYS_mq_open, SYS_mq_unlink,
    SYS_mq_timedsend, SYS_mq_timedreceive, SYS_mq_notify, SYS_mq_getsetattr)},

{"give up more: filters and Landlock rules only ever take away", ANSWER_ALLOW, 0,
 CALLS(SYS_seccomp, SYS_landlock_create_ruleset, SYS_landlock_add_rule,
    SYS_landlock_restrict_self)},

{"debuggers: of one's own processes; safe together with seccomp since Linux 4.8", ANSWER_ALLOW, 0,
 CALLS(SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev)},

#ifdef __x86_64__
{"older forms of the above, which only x86-64 still has", ANSWER_ALLOW, 0,
 CALLS(SYS_open, SYS_creat, SYS_stat, SYS_lstat, SYS_access, SYS_getdents, SYS_readlink, SYS_mkdir,
    SYS_rmdir, SYS_mknod, SYS_link, SYS_symlink, SYS_unlink, SYS_rename, SYS_chmod, SYS_chown,
    SYS_lchown, SYS_utime, SYS_utimes, SYS_futimesat, SYS_dup2, SYS_pipe, SYS_poll, SYS_select,
    SYS_epoll_create, SYS_epoll_wait, SYS_epoll_ctl_old, SYS_epoll_wait_old, SYS_eventfd,
    SYS_signalfd, SYS_inotify_init, SYS_fork, SYS_vfork, SYS_getpgrp, SYS_alarm, SYS_pause,
    SYS_time, SYS_get_thread_area, SYS_set_thread_area)},
{"x86-64 only: the thread pointer, and segments for Wine and old programs", ANSWER_ALLOW, 0,
 CALLS(SYS_arch_prctl, SYS_modify_ldt)},
{"x86-64 only: made by the kernel's own trampolines for probes, not by programs", ANSWER_ALLOW, 0,
 CALLS(335 /* uretprobe */, 336 /* uprobe */)},
{"x86-64 only: the machine's input and output ports", ANSWER_REFUSE, CAP(SYS_RAWIO),
 CALLS(SYS_iopl, SYS_ioperm)},
{"x86-64 only: relics; most have no code behind them any more", ANSWER_REFUSE, 0,
 CALLS(SYS_uselib, SYS_ustat, SYS_sysfs, SYS__sysctl, SYS_create_module, SYS_get_kernel_syms,
    SYS_query_module, SYS_getpmsg, SYS_putpmsg, SYS_afs_syscall, SYS_tuxcall, SYS_security)},
#endif

/* Allowed or not by an argument. */

{"a new thread or process, but not a new namespace: see CAP_SYS_ADMIN", CHECK_CLONE, CAP(SYS_ADMIN),
 CALLS(SYS_clone)},

{"its flags lie in memory, where a filter can't look; libc falls back on clone",
 ANSWER_ABSENT, CAP(SYS_ADMIN),
 CALLS(SYS_clone3)},

{"requests to devices, but TIOCSTI and TIOCLINUX type into the terminal", CHECK_IOCTL, 0,
 CALLS(SYS_ioctl)},

{"Linux as usual, and what uname calls it, but not READ_IMPLIES_EXEC or ADDR_NO_RANDOMIZE",
 CHECK_PERSONALITY, 0,
 CALLS(SYS_personality)},

{"local, IPv4, IPv6, netlink and packet sockets; bugs live in the families that few use",
 CHECK_SOCKET, 0,
 CALLS(SYS_socket, SYS_socketpair)},

/* Refused, unless the capability that the kernel asks for as well has been added. */

{"mounts and namespaces: what a box is made of, and much kernel code",
 ANSWER_REFUSE, CAP(SYS_ADMIN),
 CALLS(SYS_mount, SYS_umount2, SYS_pivot_root, SYS_open_tree, NEW_open_tree_attr, SYS_move_mount,
    SYS_mount_setattr, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick, NEW_statmount,
    NEW_listmount, SYS_unshare, SYS_setns)},

{"names of the machine", ANSWER_REFUSE, CAP(SYS_ADMIN), CALLS(SYS_sethostname, SYS_setdomainname)},

{"quotas, watching whole file systems, security modules", ANSWER_REFUSE, CAP(SYS_ADMIN),
 CALLS(SYS_quotactl, NEW_quotactl_fd, SYS_fanotify_init, SYS_lookup_dcookie, NEW_lsm_get_self_attr,
    NEW_lsm_set_self_attr, NEW_lsm_list_modules)},

{"a new root; pivot_root keeps it inside", ANSWER_REFUSE, CAP(SYS_CHROOT), CALLS(SYS_chroot)},

{"programs in the kernel: a common way to take it over", ANSWER_REFUSE, CAP(BPF) | CAP(SYS_ADMIN),
 CALLS(SYS_bpf)},

{"performance counters: side channels, and bugs", ANSWER_REFUSE, CAP(PERFMON) | CAP(SYS_ADMIN),
 CALLS(SYS_perf_event_open)},

{"files by handle, past all directories", ANSWER_REFUSE, CAP(DAC_READ_SEARCH),
 CALLS(SYS_open_by_handle_at)},

{"into other processes", ANSWER_REFUSE, CAP(SYS_PTRACE),
 CALLS(SYS_kcmp, SYS_pidfd_getfd, SYS_process_madvise)},

{"kernel modules", ANSWER_REFUSE, CAP(SYS_MODULE),
 CALLS(SYS_init_module, SYS_finit_module, SYS_delete_module)},

{"another kernel, power off", ANSWER_REFUSE, CAP(SYS_BOOT),
 CALLS(SYS_reboot, SYS_kexec_load, SYS_kexec_file_load)},

{"the machine's clock", ANSWER_REFUSE, CAP(SYS_TIME), CALLS(SYS_settimeofday, SYS_clock_settime)},

{"kernel messages", ANSWER_REFUSE, CAP(SYSLOG), CALLS(SYS_syslog)},

{"accounting of all processes", ANSWER_REFUSE, CAP(SYS_PACCT), CALLS(SYS_acct)},

{"hanging up terminals", ANSWER_REFUSE, CAP(SYS_TTY_CONFIG), CALLS(SYS_vhangup)},

{"which memory bank holds which page", ANSWER_REFUSE, CAP(SYS_NICE),
 CALLS(SYS_get_mempolicy, SYS_set_mempolicy, NEW_set_mempolicy_home_node, SYS_mbind,
    SYS_migrate_pages, SYS_move_pages)},

/* Refused always. */

{"swap is the machine's", ANSWER_REFUSE, 0, CALLS(SYS_swapon, SYS_swapoff)},

{"keyrings know nothing of containers", ANSWER_REFUSE, 0,
 CALLS(SYS_add_key, SYS_request_key, SYS_keyctl)},

{"stops the kernel at a chosen point: helps to exploit races", ANSWER_REFUSE, 0,
 CALLS(SYS_userfaultfd)},

{"does input and output past this filter, and has had many bugs", ANSWER_REFUSE, 0,
 CALLS(SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register)},

{"a server that has gone", ANSWER_REFUSE, 0, CALLS(SYS_nfsservctl)},
#ifdef SYS_vserver
{"never had code behind it", ANSWER_REFUSE, 0, CALLS(SYS_vserver)},
#endif
};
/* clang-format on */

void syscalls_answers(uint64_t capabilities, uint8_t answers[SYSCALLS])
{
    memset(answers, ANSWER_UNKNOWN, SYSCALLS);
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        bool opened = groups[i].opened_by & capabilities;
        for (const short *call = groups[i].calls; *call >= 0; call++)
            answers[*call] = opened ? ANSWER_ALLOW : groups[i].answer;
    }
}
