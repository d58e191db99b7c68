#include "syscalls.h"

#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

/* Calls that older headers don't have. From 424 on, numbers are the same on all machines. */
#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif
#ifndef SYS_cachestat
#define SYS_cachestat        451
#define SYS_fchmodat2        452
#define SYS_map_shadow_stack 453
#define SYS_futex_wake       454
#define SYS_futex_wait       455
#define SYS_futex_requeue    456
#endif
#ifndef SYS_statmount
#define SYS_statmount         457
#define SYS_listmount         458
#define SYS_lsm_get_self_attr 459
#define SYS_lsm_set_self_attr 460
#define SYS_lsm_list_modules  461
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#ifndef SYS_setxattrat
#define SYS_setxattrat    463
#define SYS_getxattrat    464
#define SYS_listxattrat   465
#define SYS_removexattrat 466
#endif
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif
#ifndef SYS_file_getattr
#define SYS_file_getattr 468
#define SYS_file_setattr 469
#endif

#define CAP(name)  (UINT64_C(1) << CAP_##name)
#define CALLS(...) ((const short[]){__VA_ARGS__, -1})
#define CALL(name) SYS_##name

struct group {
    const char *what; /* what these calls are for, or why they are refused */
    enum answer answer;
    uint64_t opened_by; /* any of these capabilities turns the answer into ANSWER_ALLOW */
    const short *calls; /* ends with -1 */
};

/* clang-format off */
static const struct group groups[] = {

/* What nearly every program does. */

{"read, write and move about in open files", ANSWER_ALLOW, 0, CALLS(
    CALL(read), CALL(write), CALL(pread64), CALL(pwrite64), CALL(readv), CALL(writev),
    CALL(preadv), CALL(pwritev), CALL(preadv2), CALL(pwritev2), CALL(lseek), CALL(sendfile),
    CALL(splice), CALL(tee), CALL(vmsplice), CALL(copy_file_range), CALL(readahead),
    CALL(fadvise64), CALL(fallocate), CALL(ftruncate), CALL(truncate), CALL(fsync),
    CALL(fdatasync), CALL(sync), CALL(syncfs), CALL(sync_file_range), CALL(cachestat))},

{"open and close files, duplicate and lock descriptors", ANSWER_ALLOW, 0, CALLS(
    CALL(openat), CALL(openat2), CALL(close), CALL(close_range), CALL(dup), CALL(dup3),
    CALL(fcntl), CALL(flock), CALL(pipe2), CALL(memfd_create), CALL(memfd_secret),
    CALL(name_to_handle_at))},

{"look at files and directories", ANSWER_ALLOW, 0, CALLS(
    CALL(newfstatat), CALL(fstat), CALL(statx), CALL(statfs), CALL(fstatfs), CALL(faccessat),
    CALL(faccessat2), CALL(getdents64), CALL(readlinkat), CALL(getcwd), CALL(chdir), CALL(fchdir),
    CALL(getxattr), CALL(lgetxattr), CALL(fgetxattr), CALL(getxattrat), CALL(listxattr),
    CALL(llistxattr), CALL(flistxattr), CALL(listxattrat), CALL(file_getattr))},

{"make, change and remove files; mknod asks for a capability for devices", ANSWER_ALLOW, 0, CALLS(
    CALL(mkdirat), CALL(mknodat), CALL(linkat), CALL(symlinkat), CALL(unlinkat), CALL(renameat),
    CALL(renameat2), CALL(fchmod), CALL(fchmodat), CALL(fchmodat2), CALL(fchown), CALL(fchownat),
    CALL(utimensat), CALL(umask), CALL(setxattr), CALL(lsetxattr), CALL(fsetxattr),
    CALL(setxattrat), CALL(removexattr), CALL(lremovexattr), CALL(fremovexattr),
    CALL(removexattrat), CALL(file_setattr))},

{"wait for events", ANSWER_ALLOW, 0, CALLS(
    CALL(ppoll), CALL(pselect6), CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_pwait),
    CALL(epoll_pwait2), CALL(eventfd2), CALL(signalfd4), CALL(timerfd_create),
    CALL(timerfd_settime), CALL(timerfd_gettime), CALL(inotify_init1), CALL(inotify_add_watch),
    CALL(inotify_rm_watch), CALL(fanotify_mark))},

{"asynchronous input and output of the old kind", ANSWER_ALLOW, 0, CALLS(
    CALL(io_setup), CALL(io_destroy), CALL(io_submit), CALL(io_cancel), CALL(io_getevents),
    CALL(io_pgetevents))},

{"memory", ANSWER_ALLOW, 0, CALLS(
    CALL(brk), CALL(mmap), CALL(munmap), CALL(mremap), CALL(mprotect), CALL(madvise), CALL(msync),
    CALL(mincore), CALL(mlock), CALL(mlock2), CALL(mlockall), CALL(munlock), CALL(munlockall),
    CALL(membarrier), CALL(remap_file_pages), CALL(pkey_alloc), CALL(pkey_free),
    CALL(pkey_mprotect), CALL(map_shadow_stack), CALL(mseal), CALL(process_mrelease))},

{"start, end and await processes and threads", ANSWER_ALLOW, 0, CALLS(
    CALL(execve), CALL(execveat), CALL(exit), CALL(exit_group), CALL(wait4), CALL(waitid),
    CALL(set_tid_address), CALL(set_robust_list), CALL(get_robust_list), CALL(rseq), CALL(futex),
    CALL(futex_waitv), CALL(futex_wake), CALL(futex_wait), CALL(futex_requeue), CALL(pidfd_open),
    CALL(prctl), CALL(restart_syscall))},

{"who a process is: ids, groups, sessions, capabilities", ANSWER_ALLOW, 0, CALLS(
    CALL(getpid), CALL(getppid), CALL(gettid), CALL(getuid), CALL(geteuid), CALL(getgid),
    CALL(getegid), CALL(getresuid), CALL(getresgid), CALL(getgroups), CALL(setuid), CALL(setgid),
    CALL(setreuid), CALL(setregid), CALL(setresuid), CALL(setresgid), CALL(setfsuid),
    CALL(setfsgid), CALL(setgroups), CALL(getpgid), CALL(setpgid), CALL(getsid), CALL(setsid),
    CALL(capget), CALL(capset))},

{"signals", ANSWER_ALLOW, 0, CALLS(
    CALL(kill), CALL(tkill), CALL(tgkill), CALL(pidfd_send_signal), CALL(rt_sigaction),
    CALL(rt_sigprocmask), CALL(rt_sigpending), CALL(rt_sigsuspend), CALL(rt_sigtimedwait),
    CALL(rt_sigqueueinfo), CALL(rt_tgsigqueueinfo), CALL(rt_sigreturn), CALL(sigaltstack))},

{"time and timers; the clock can't be set without a capability", ANSWER_ALLOW, 0, CALLS(
    CALL(clock_gettime), CALL(clock_getres), CALL(clock_nanosleep), CALL(nanosleep),
    CALL(gettimeofday), CALL(times), CALL(getitimer), CALL(setitimer), CALL(timer_create),
    CALL(timer_settime), CALL(timer_gettime), CALL(timer_getoverrun), CALL(timer_delete),
    CALL(adjtimex), CALL(clock_adjtime))},

{"scheduling and limits", ANSWER_ALLOW, 0, CALLS(
    CALL(sched_yield), CALL(sched_getaffinity), CALL(sched_setaffinity), CALL(sched_getattr),
    CALL(sched_setattr), CALL(sched_getparam), CALL(sched_setparam), CALL(sched_getscheduler),
    CALL(sched_setscheduler), CALL(sched_get_priority_max), CALL(sched_get_priority_min),
    CALL(sched_rr_get_interval), CALL(getpriority), CALL(setpriority), CALL(ioprio_get),
    CALL(ioprio_set), CALL(getrlimit), CALL(setrlimit), CALL(prlimit64), CALL(getrusage),
    CALL(getcpu))},

{"what machine this is; random numbers", ANSWER_ALLOW, 0, CALLS(
    CALL(uname), CALL(sysinfo), CALL(getrandom))},

{"sockets that are open", ANSWER_ALLOW, 0, CALLS(
    CALL(bind), CALL(listen), CALL(accept), CALL(accept4), CALL(connect), CALL(shutdown),
    CALL(getsockname), CALL(getpeername), CALL(getsockopt), CALL(setsockopt), CALL(sendto),
    CALL(recvfrom), CALL(sendmsg), CALL(recvmsg), CALL(sendmmsg), CALL(recvmmsg))},

{"System V and POSIX queues, semaphores, shared memory: the box has a namespace of its own",
 ANSWER_ALLOW, 0, CALLS(
    CALL(msgget), CALL(msgsnd), CALL(msgrcv), CALL(msgctl), CALL(semget), CALL(semop),
    CALL(semtimedop), CALL(semctl), CALL(shmget), CALL(shmat), CALL(shmdt), CALL(shmctl),
    CALL(mq_open), CALL(mq_unlink), CALL(mq_timedsend), CALL(mq_timedreceive), CALL(mq_notify),
    CALL(mq_getsetattr))},

{"give up more: filters and Landlock rules only ever take away", ANSWER_ALLOW, 0, CALLS(
    CALL(seccomp), CALL(landlock_create_ruleset), CALL(landlock_add_rule),
    CALL(landlock_restrict_self))},

{"debuggers: of one's own processes; safe together with seccomp since Linux 4.8", ANSWER_ALLOW, 0,
 CALLS(CALL(ptrace), CALL(process_vm_readv), CALL(process_vm_writev))},

#ifdef __x86_64__
{"older forms of the above, which only x86-64 still has", ANSWER_ALLOW, 0, CALLS(
    CALL(open), CALL(creat), CALL(stat), CALL(lstat), CALL(access), CALL(getdents), CALL(readlink),
    CALL(mkdir), CALL(rmdir), CALL(mknod), CALL(link), CALL(symlink), CALL(unlink), CALL(rename),
    CALL(chmod), CALL(chown), CALL(lchown), CALL(utime), CALL(utimes), CALL(futimesat),
    CALL(dup2), CALL(pipe), CALL(poll), CALL(select), CALL(epoll_create), CALL(epoll_wait),
    CALL(epoll_ctl_old), CALL(epoll_wait_old), CALL(eventfd), CALL(signalfd), CALL(inotify_init),
    CALL(fork), CALL(vfork), CALL(getpgrp), CALL(alarm), CALL(pause), CALL(time),
    CALL(get_thread_area), CALL(set_thread_area))},
{"x86-64 only: the thread pointer, and segments for Wine and old programs", ANSWER_ALLOW, 0, CALLS(
    CALL(arch_prctl), CALL(modify_ldt))},
{"x86-64 only: made by the kernel's own trampolines for probes, not by programs", ANSWER_ALLOW, 0,
 CALLS(335 /* uretprobe */, 336 /* uprobe */)},
{"x86-64 only: the machine's input and output ports", ANSWER_REFUSE, CAP(SYS_RAWIO), CALLS(
    CALL(iopl), CALL(ioperm))},
{"x86-64 only: relics; most have no code behind them any more", ANSWER_REFUSE, 0, CALLS(
    CALL(uselib), CALL(ustat), CALL(sysfs), CALL(_sysctl), CALL(create_module),
    CALL(get_kernel_syms), CALL(query_module), CALL(getpmsg), CALL(putpmsg), CALL(afs_syscall),
    CALL(tuxcall), CALL(security))},
#endif

/* Allowed or not by an argument. */

{"a new thread or process, but not a new namespace: see CAP_SYS_ADMIN", CHECK_CLONE,
 CAP(SYS_ADMIN), CALLS(CALL(clone))},

{"its flags lie in memory, where a filter can't look; libc falls back on clone", ANSWER_ABSENT,
 CAP(SYS_ADMIN), CALLS(CALL(clone3))},

{"requests to devices, but TIOCSTI and TIOCLINUX type into the terminal", CHECK_IOCTL, 0, CALLS(
    CALL(ioctl))},

{"Linux as usual and how uname tells it, but not READ_IMPLIES_EXEC or ADDR_NO_RANDOMIZE",
 CHECK_PERSONALITY, 0, CALLS(CALL(personality))},

{"local, IPv4, IPv6, netlink and packet sockets; bugs live in the families that few use",
 CHECK_SOCKET, 0, CALLS(CALL(socket), CALL(socketpair))},

/* Refused, unless the capability that the kernel asks for as well has been added. */

{"mounts and namespaces: what a box is made of, and much kernel code", ANSWER_REFUSE,
 CAP(SYS_ADMIN), CALLS(
    CALL(mount), CALL(umount2), CALL(pivot_root), CALL(open_tree), CALL(open_tree_attr),
    CALL(move_mount), CALL(mount_setattr), CALL(fsopen), CALL(fsconfig), CALL(fsmount),
    CALL(fspick), CALL(statmount), CALL(listmount), CALL(unshare), CALL(setns))},

{"names of the machine", ANSWER_REFUSE, CAP(SYS_ADMIN), CALLS(
    CALL(sethostname), CALL(setdomainname))},

{"quotas, watching whole file systems, security modules", ANSWER_REFUSE, CAP(SYS_ADMIN), CALLS(
    CALL(quotactl), CALL(quotactl_fd), CALL(fanotify_init), CALL(lookup_dcookie),
    CALL(lsm_get_self_attr), CALL(lsm_set_self_attr), CALL(lsm_list_modules))},

{"a new root; pivot_root keeps it inside", ANSWER_REFUSE, CAP(SYS_CHROOT), CALLS(CALL(chroot))},

{"programs in the kernel: a common way to take it over", ANSWER_REFUSE, CAP(BPF) | CAP(SYS_ADMIN),
 CALLS(CALL(bpf))},

{"performance counters: side channels, and bugs", ANSWER_REFUSE, CAP(PERFMON) | CAP(SYS_ADMIN),
 CALLS(CALL(perf_event_open))},

{"files by handle, past all directories", ANSWER_REFUSE, CAP(DAC_READ_SEARCH), CALLS(
    CALL(open_by_handle_at))},

{"into other processes", ANSWER_REFUSE, CAP(SYS_PTRACE), CALLS(
    CALL(kcmp), CALL(pidfd_getfd), CALL(process_madvise))},

{"kernel modules", ANSWER_REFUSE, CAP(SYS_MODULE), CALLS(
    CALL(init_module), CALL(finit_module), CALL(delete_module))},

{"another kernel, power off", ANSWER_REFUSE, CAP(SYS_BOOT), CALLS(
    CALL(reboot), CALL(kexec_load), CALL(kexec_file_load))},

{"the machine's clock", ANSWER_REFUSE, CAP(SYS_TIME), CALLS(
    CALL(settimeofday), CALL(clock_settime))},

{"kernel messages", ANSWER_REFUSE, CAP(SYSLOG), CALLS(CALL(syslog))},

{"accounting of all processes", ANSWER_REFUSE, CAP(SYS_PACCT), CALLS(CALL(acct))},

{"hanging up terminals", ANSWER_REFUSE, CAP(SYS_TTY_CONFIG), CALLS(CALL(vhangup))},

{"which memory bank holds which page", ANSWER_REFUSE, CAP(SYS_NICE), CALLS(
    CALL(get_mempolicy), CALL(set_mempolicy), CALL(set_mempolicy_home_node), CALL(mbind),
    CALL(migrate_pages), CALL(move_pages))},

/* Refused always. */

{"swap is the machine's", ANSWER_REFUSE, 0, CALLS(CALL(swapon), CALL(swapoff))},

{"keyrings know nothing of containers", ANSWER_REFUSE, 0, CALLS(
    CALL(add_key), CALL(request_key), CALL(keyctl))},

{"stops the kernel at a chosen point: helps to exploit races", ANSWER_REFUSE, 0, CALLS(
    CALL(userfaultfd))},

{"does input and output past this filter, and has had many bugs", ANSWER_REFUSE, 0, CALLS(
    CALL(io_uring_setup), CALL(io_uring_enter), CALL(io_uring_register))},

{"a server that is no more", ANSWER_REFUSE, 0, CALLS(CALL(nfsservctl))},
#ifdef SYS_vserver
{"never had code behind it", ANSWER_REFUSE, 0, CALLS(CALL(vserver))},
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
