/*
 * bare: what 'full run DIR COMMAND' asks of the kernel, and nothing else.
 *
 *     bare [--veth BRIDGE] DIR COMMAND [ARG]...
 *
 * For 'make bench': how much of a start is the kernel's work, how much is full's own? No other
 * options, no state, no messages: an error ends it with a status made of the line number. The box
 * is the same, with --network none, or with a link to BRIDGE, which must exist.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../07-net/link.h"
#include "../../07-net/netlink.h"
#include "../../10-full/capability.h"
#include "../../10-full/seccomp.h"

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) == -1)                                                                          \
            _exit(__LINE__ % 100 + 1);                                                             \
    } while (0)

/* Of <linux/mount.h>, which clashes with libc's <sys/mount.h>. */
struct attributes {
    uint64_t set, clear, propagation, userns;
};
enum { RDONLY = 1, NOSUID = 2, IDMAP = 0x100000, CLONE = 1, CLOEXEC = O_CLOEXEC };
enum { RECURSIVE = 0x8000, EMPTY = 0x1000, MOVE_EMPTY = 0x4 | 0x40 };

static int tree_of(const char *path)
{
    return (int)syscall(SYS_open_tree, AT_FDCWD, path, CLONE | CLOEXEC | RECURSIVE);
}

static int set_tree(int tree, uint64_t attributes, uint64_t userns)
{
    struct attributes change = {.set = attributes, .userns = userns};
    if (attributes == IDMAP)
        change.propagation = MS_PRIVATE;
    return (int)syscall(SYS_mount_setattr, tree, "", EMPTY | RECURSIVE, &change, sizeof(change));
}

static int find(int root, const char *path)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

static int attach(int tree, int place)
{
    int result = (int)syscall(SYS_move_mount, tree, "", place, "", MOVE_EMPTY);
    close(tree);
    close(place);
    return result;
}

static int mount_at(int root, const char *target, const char *type, unsigned long flags,
                    const char *data)
{
    char path[32];
    int place = find(root, target);

    snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
    int result = mount(type, path, type, flags, data);
    close(place);
    return result;
}

static void write_file(pid_t pid, const char *name, const char *text)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    MUST(write(file, text, strlen(text)));
    close(file);
}

static void send_tree(int sync, int tree)
{
    char control[CMSG_SPACE(sizeof(int))] = "";
    struct iovec byte = {"d", 1};
    struct msghdr message = {.msg_iov = &byte,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_len = CMSG_LEN(sizeof(int)); /* by name: musl has padding between them */
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(header), &tree, sizeof(int));
    MUST(sendmsg(sync, &message, 0));
}

static int receive_tree(int sync)
{
    char control[CMSG_SPACE(sizeof(int))], got;
    struct iovec byte = {&got, 1};
    struct msghdr message = {.msg_iov = &byte,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    int tree;

    MUST(recvmsg(sync, &message, MSG_CMSG_CLOEXEC));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL)
        _exit(1);
    memcpy(&tree, CMSG_DATA(header), sizeof(int));
    return tree;
}

static void make_devices(int root)
{
    static const char *const names[] = {"null", "zero", "full", "random", "urandom", "tty"};
    static const char *const links[][2] = {{"/proc/self/fd", "fd"},
                                           {"/proc/self/fd/0", "stdin"},
                                           {"/proc/self/fd/1", "stdout"},
                                           {"/proc/self/fd/2", "stderr"},
                                           {"pts/ptmx", "ptmx"}};
    char path[32];

    MUST(mount_at(root, "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=1m"));
    int dev = find(root, "/dev");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "/dev/%s", names[i]);
        MUST(mknodat(dev, names[i], S_IFREG | 0644, 0));
        MUST(attach(tree_of(path), find(root, path)));
    }
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        MUST(symlinkat(links[i][0], dev, links[i][1]));
    MUST(mkdirat(dev, "pts", 0755));
    MUST(mkdirat(dev, "shm", 0755));
    MUST(mkdirat(dev, "mqueue", 0755));
    close(dev);
    MUST(mount_at(root, "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                  "newinstance,ptmxmode=0666,mode=620"));
    MUST(mount_at(root, "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=64m"));
    MUST(mount_at(root, "/dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
}

static void mask(int root)
{
    static const char *const hidden[] = {"/proc/interrupts", "/proc/kcore", "/proc/keys",
                                         "/proc/timer_list"};
    static const char *const covered[] = {"/proc/acpi", "/proc/scsi", "/sys/firmware"};
    static const char *const kept[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                       "/proc/sysrq-trigger"};
    char path[32];
    int place;

    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        if ((place = find(root, hidden[i])) == -1)
            continue;
        int tree = tree_of("/dev/null");
        MUST(set_tree(tree, RDONLY, 0));
        MUST(attach(tree, place));
    }
    for (size_t i = 0; i < sizeof(covered) / sizeof(covered[0]); i++)
        (void)mount_at(root, covered[i], "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                       "mode=555");
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        if ((place = find(root, kept[i])) == -1)
            continue;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
        int tree = tree_of(path);
        MUST(set_tree(tree, RDONLY, 0));
        MUST(attach(tree, place));
    }
}

static void raise_lo(void)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg link;
    } up = {{sizeof(up), RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0},
            {.ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP}};
    char answer[1024];
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    MUST(send(netlink, &up, sizeof(up), 0));
    MUST(recv(netlink, answer, sizeof(answer), 0));
    close(netlink);
}

enum { BRIDGE = 0x0a580001, PREFIX = 16 };
static const char *bridge_name; /* NULL: no link */
static uint32_t address;

/* A pair from the bridge to the network of the process BOX, by one message. */
static void make_link(pid_t box)
{
    char path[64], name[IF_NAMESIZE];

    snprintf(path, sizeof(path), "/proc/%d/ns/net", box);
    snprintf(name, sizeof(name), "bare-%x", address);
    int space = open(path, O_RDONLY | O_CLOEXEC);
    link_add_pair(name, bridge_name, space, address);
    if (netlink_send(NETLINK_ROUTE, 0) != 0)
        _exit(1);
    close(space);
}

static void set_up_link(void)
{
    link_up("lo");
    link_without_ipv6("eth0");
    link_up("eth0");
    link_add_address("eth0", address, PREFIX);
    link_add_default_route(BRIDGE);
    if (netlink_send(NETLINK_ROUTE, 0) != 0)
        _exit(1);
}

static void drop(uint64_t kept, const struct filter *filter)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    struct sock_fprog program = {.len = filter->length, .filter = (void *)filter->code};

    for (int i = 0; i <= 40; i++)
        if (!(kept >> i & 1))
            MUST(prctl(PR_CAPBSET_DROP, i));
    for (int i = 0; i < 2; i++)
        data[i].effective = data[i].permitted = (uint32_t)(kept >> (32 * i));
    MUST(syscall(SYS_capset, &header, data));
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program));
}

static void run_box(int sync, char **argv)
{
    static char *environment[] = {"PATH=/usr/bin:/bin", NULL};
    static struct filter filter;
    uint64_t kept = capability_chosen(0, 0);
    char go[2];

    MUST(recv(sync, go, sizeof(go), 0));
    MUST(setresgid(0, 0, 0));
    MUST(setresuid(0, 0, 0));
    MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    int root = receive_tree(sync);
    MUST(syscall(SYS_move_mount, root, "", AT_FDCWD, argv[1], 0x4));
    make_devices(root);
    MUST(mount_at(root, "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
    MUST(mount_at(root, "/sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
    MUST(mount_at(root, "/sys/fs/cgroup", "cgroup2", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                  NULL));
    mask(root);
    MUST(set_tree(root, NOSUID, 0));
    MUST(fchdir(root));
    MUST(syscall(SYS_pivot_root, ".", "."));
    MUST(umount2(".", MNT_DETACH));
    MUST(chdir("/"));
    close(root);
    MUST(sethostname("bare", 4));
    if (bridge_name != NULL)
        set_up_link();
    else
        raise_lo();
    MUST(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL));
    MUST(setsid());
    seccomp_compile(kept, &filter);
    drop(kept, &filter);
    MUST(prctl(PR_SET_PDEATHSIG, SIGKILL));
    MUST(syscall(SYS_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */));
    execve(argv[2], argv + 2, environment);
    _exit(127);
}

int main(int argc, char **argv)
{
    char group[64], path[64];
    int sync[2], pidfd = -1, status = 0;

    if (argc > 3 && strcmp(argv[1], "--veth") == 0) {
        bridge_name = argv[2];
        argc -= 2;
        argv += 2;
    }
    if (argc < 3)
        return 125;
    address = BRIDGE + 1 + (uint32_t)getpid() % 65000;
    snprintf(group, sizeof(group), "/sys/fs/cgroup/bare-%d", getpid());
    MUST(mkdir(group, 0755));
    int directory = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sync));
    struct clone_args arguments = {
        .flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC |
                 CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_INTO_CGROUP | CLONE_PIDFD,
        .pidfd = (uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = (uint64_t)directory,
    };
    pid_t box = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
    MUST(box);
    close(sync[box != 0]);
    if (box == 0)
        run_box(sync[1], argv);
    write_file(box, "uid_map", "0 1879048192 65536\n");
    write_file(box, "gid_map", "0 1879048192 65536\n");
    if (bridge_name != NULL)
        make_link(box);
    MUST(send(sync[0], "go", 2, 0));
    snprintf(path, sizeof(path), "/proc/%d/ns/user", box);
    int users = open(path, O_RDONLY | O_CLOEXEC);
    int tree = tree_of(argv[1]);
    MUST(set_tree(tree, IDMAP, (uint64_t)users));
    send_tree(sync[0], tree);
    close(tree);
    MUST(waitpid(box, &status, 0));
    MUST(rmdir(group));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
