/*
 * escape: ways out of a box, each of which has worked on some container once. The checks run each
 * where it works, and in a box that has to stop it.
 *
 * Exit status: 0 if the way is open, 1 if it is closed (standard error has the reason), 2 for
 * a mistake in calling it. Nothing here does harm: where a way is open, the program only looks
 * through the door, or writes what was there before.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int closed(const char *what)
{
    fprintf(stderr, "escape: %s: %s\n", what, strerror(errno));
    return 1;
}

/* The outcome of a call that gives a descriptor or 0. */
static int outcome(long result, const char *what)
{
    return result == -1 ? closed(what) : 0;
}

static int print_file(int directory, const char *path)
{
    char text[256];
    int file = openat(directory, path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file == -1 ? -1 : read(file, text, sizeof(text));

    if (length == -1)
        return closed(path);
    fwrite(text, 1, (size_t)length, stdout);
    return 0;
}

/* careless ROOT COMMAND…: a chroot that forgets the working directory, to run COMMAND in. */
static int careless(char **a)
{
    if (chroot(a[2]) == -1)
        return closed("chroot");
    execv(a[3], a + 3);
    return closed(a[3]);
}

/* rewrite FILE: write to FILE what it holds. */
static int rewrite(const char *path)
{
    char text[4096];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file == -1 ? -1 : read(file, text, sizeof(text));

    if (length == -1)
        return closed("read");
    file = open(path, O_WRONLY | O_CLOEXEC);
    if (file == -1)
        return closed("open for writing");
    return outcome(write(file, text, (size_t)length), "write");
}

/* device PATH: read through a device file. */
static int read_device(const char *path)
{
    char first[512];
    int device = open(path, O_RDONLY | O_CLOEXEC);

    return device == -1 ? closed("open") : outcome(read(device, first, sizeof(first)), "read");
}

/* mknod b|c MAJOR MINOR [PATH]: make a device file, and read through it. */
static int make_device(mode_t kind, unsigned major, unsigned minor, const char *path)
{
    unlink(path);
    if (mknod(path, kind | 0600, makedev(major, minor)) == -1)
        return closed("mknod");
    int status = read_device(path);
    unlink(path);
    return status;
}

/* setns FILE: join the namespace behind a file of /proc. */
static int join(const char *path)
{
    int namespace = open(path, O_RDONLY | O_CLOEXEC);
    return namespace == -1 ? closed(path) : outcome(setns(namespace, 0), "setns");
}

/* session NAME VALUE COMMAND…: run COMMAND in a session keyring with a key. */
static int with_key(char **a)
{
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) == -1)
        return closed("join a session keyring");
    if (syscall(SYS_add_key, "user", a[2], a[3], strlen(a[3]), KEY_SPEC_SESSION_KEYRING) == -1)
        return closed("add_key");
    execvp(a[4], a + 4);
    return closed(a[4]);
}

/* key NAME: print a key that is found from the session keyring. */
static int print_key(const char *name)
{
    char value[256];
    long key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", name, 0);

    if (key == -1)
        return closed("search the session keyring");
    long length = syscall(SYS_keyctl, KEYCTL_READ, key, value, sizeof(value));
    if (length == -1)
        return closed("read the key");
    printf("%.*s\n", (int)length, value);
    return 0;
}

/* type TEXT: type into the terminal that is standard input. */
static int type(const char *text)
{
    for (; *text != '\0'; text++)
        if (ioctl(STDIN_FILENO, TIOCSTI, text) == -1)
            return closed("TIOCSTI");
    return 0;
}

/* kill-group: signal all other processes of this process group. */
static int signal_group(void)
{
    signal(SIGUSR1, SIG_IGN);
    return outcome(kill(0, SIGUSR1), "kill");
}

/* The child of a clone ends; was there one? */
static int ended(long child, const char *what)
{
    if (child == 0)
        _exit(0);
    if (child > 0)
        waitpid((pid_t)child, NULL, 0);
    return outcome(child, what);
}

static int clone_user(void)
{
    return ended(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), "clone");
}

static int clone3_user(void)
{
    struct clone_args arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    return ended(syscall(SYS_clone3, &arguments, sizeof(arguments)), "clone3");
}

/* module: give the kernel a module. What isn't one is refused too, but with another error. */
static int load_module(void)
{
    static const char junk[64] = "no module";

    if (syscall(SYS_init_module, junk, sizeof(junk), "") == -1 && errno != ENOEXEC)
        return closed("init_module");
    return 0;
}

static int make_map(void)
{
    union bpf_attr map = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    return outcome(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map)), "bpf");
}

/* handle: open a directory by its handle: any other of the file system would open the same way. */
static int open_handle(void)
{
    union {
        struct file_handle head;
        char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } handle = {.head.handle_bytes = MAX_HANDLE_SZ};
    static const char place[] = "/dev"; /* a tmpfs, which has handles; not each root has */
    int mount_id, directory = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (name_to_handle_at(AT_FDCWD, place, &handle.head, &mount_id, 0) == -1)
        return closed("name_to_handle_at");
    return outcome(open_by_handle_at(directory, &handle.head, O_RDONLY), "open_by_handle_at");
}

/* cgroup: any way to change the tree of control groups: from the box's mount, or from a new one. */
static int change_cgroups(void)
{
    if (open("/sys/fs/cgroup/cgroup.procs", O_WRONLY | O_CLOEXEC) != -1)
        return 0;
    perror("escape: open cgroup.procs");
    if (mkdir("/sys/fs/cgroup/escape", 0700) == 0)
        return rmdir("/sys/fs/cgroup/escape");
    perror("escape: mkdir");
    mkdir("/cgroup", 0700);
    int mounted = mount("none", "/cgroup", "cgroup2", 0, NULL);
    if (mounted == 0)
        umount2("/cgroup", MNT_DETACH);
    return outcome(mounted, "mount cgroup2");
}

/* mask PATH: take away what covers a path. */
static int uncover(const char *path)
{
    return outcome(umount2(path, MNT_DETACH), "umount");
}

static int remount(const char *path)
{
    return outcome(mount(NULL, path, NULL, MS_REMOUNT | MS_BIND, NULL), "remount");
}

static int mount_new(void)
{
    mkdir("/mounted", 0700);
    return outcome(mount("none", "/mounted", "tmpfs", 0, NULL), "mount");
}

/* pivot_root: is the call allowed? EINVAL and EBUSY come from the kernel's later checks. */
static int pivot(void)
{
    if (chdir("/") == -1)
        return closed("chdir");
    if (syscall(SYS_pivot_root, ".", ".") == -1 && errno != EINVAL && errno != EBUSY)
        return closed("pivot_root");
    return 0;
}

/*
 * exe SECONDS [NAME]: wait for a process that comes from outside, whose program is not a file of
 * this root, and whose path has NAME in it; keep its program open, and when it has ended write to
 * it.
 */
static int program_from_outside(const char *pid, const char *name, int *file)
{
    char path[300], link[4096];

    snprintf(path, sizeof(path), "/proc/%s/exe", pid);
    ssize_t length = readlink(path, link, sizeof(link) - 1);
    if (length == -1)
        return errno == EACCES || errno == EPERM ? -1 : 0;
    link[length] = '\0';
    if (access(link, F_OK) == 0 || strstr(link, name) == NULL)
        return 0;
    *file = open(path, O_PATH | O_CLOEXEC);
    return *file == -1 ? -1 : 1;
}

/* Write the byte that is there already. */
static int overwrite(int file)
{
    char path[64], byte;
    int writable = -1;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    for (int i = 0; i < 2000; i++) { /* ETXTBSY as long as it runs */
        writable = open(path, O_RDWR | O_CLOEXEC);
        if (writable != -1 || errno != ETXTBSY)
            break;
        usleep(1000);
    }
    if (writable == -1 || pread(writable, &byte, 1, 0) != 1)
        return closed("open the program for writing");
    return outcome(pwrite(writable, &byte, 1, 0), "write to the program");
}

static int watch_programs(int seconds, const char *name)
{
    time_t end = time(NULL) + seconds;
    int file = -1, refused = 0;

    while (time(NULL) <= end) {
        DIR *processes = opendir("/proc");
        struct dirent *each;
        while (processes != NULL && (each = readdir(processes)) != NULL) {
            if (each->d_name[0] < '1' || each->d_name[0] > '9')
                continue;
            int found = program_from_outside(each->d_name, name, &file);
            refused += found == -1;
            if (found == 1)
                return overwrite(file);
        }
        if (processes != NULL)
            closedir(processes);
    }
    fprintf(stderr, "escape: no program from outside seen, %d refused\n", refused);
    return 1;
}

static int with_arguments(int argc, char **a)
{
    if (strcmp(a[1], "careless") == 0 && argc > 3)
        return careless(a);
    if (strcmp(a[1], "session") == 0 && argc > 4)
        return with_key(a);
    if (strcmp(a[1], "mknod") == 0 && argc >= 5)
        return make_device(a[2][0] == 'b' ? S_IFBLK : S_IFCHR, (unsigned)atoi(a[3]),
                           (unsigned)atoi(a[4]), argc > 5 ? a[5] : "/device");
    if (strcmp(a[1], "exe") == 0 && argc == 4)
        return watch_programs(atoi(a[2]), a[3]);
    if (strcmp(a[1], "descriptor") == 0 && argc == 4)
        return print_file(atoi(a[2]), a[3]);
    if (argc != 3)
        return 2;
    if (strcmp(a[1], "cat") == 0)
        return print_file(AT_FDCWD, a[2]);
    if (strcmp(a[1], "device") == 0)
        return read_device(a[2]);
    if (strcmp(a[1], "rewrite") == 0)
        return rewrite(a[2]);
    if (strcmp(a[1], "open") == 0)
        return outcome(open(a[2], O_WRONLY | O_CLOEXEC), a[2]);
    if (strcmp(a[1], "setns") == 0)
        return join(a[2]);
    if (strcmp(a[1], "ptrace") == 0)
        return outcome(ptrace(PTRACE_SEIZE, atoi(a[2]), NULL, NULL), "ptrace");
    if (strcmp(a[1], "kill") == 0)
        return outcome(kill(atoi(a[2]), 0), "kill");
    if (strcmp(a[1], "key") == 0)
        return print_key(a[2]);
    if (strcmp(a[1], "type") == 0)
        return type(a[2]);
    if (strcmp(a[1], "uncover") == 0)
        return uncover(a[2]);
    if (strcmp(a[1], "remount") == 0)
        return remount(a[2]);
    if (strcmp(a[1], "exe") == 0)
        return watch_programs(atoi(a[2]), "");
    if (strcmp(a[1], "call") == 0)
        return outcome(syscall(atoi(a[2]), -1, 0, 0, 0, 0, 0), a[2]);
    return 2;
}

static int without_arguments(const char *way)
{
    if (strcmp(way, "mount") == 0)
        return mount_new();
    if (strcmp(way, "pivot_root") == 0)
        return pivot();
    if (strcmp(way, "kill-group") == 0)
        return signal_group();
    if (strcmp(way, "raw") == 0)
        return outcome(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), "raw socket");
    if (strcmp(way, "packet") == 0)
        return outcome(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), "packet socket");
    if (strcmp(way, "unshare") == 0)
        return outcome(unshare(CLONE_NEWUSER), "unshare");
    if (strcmp(way, "clone") == 0)
        return clone_user();
    if (strcmp(way, "clone3") == 0)
        return clone3_user();
    if (strcmp(way, "module") == 0)
        return load_module();
    if (strcmp(way, "bpf") == 0)
        return make_map();
    if (strcmp(way, "handle") == 0)
        return open_handle();
    if (strcmp(way, "cgroup") == 0)
        return change_cgroups();
    return 2;
}

int main(int argc, char **argv)
{
    int status = 2;

    if (argc > 2)
        status = with_arguments(argc, argv);
    else if (argc == 2)
        status = without_arguments(argv[1]);
    if (status == 2)
        fprintf(stderr, "escape: unknown way, or wrong number of arguments\n");
    return status;
}
