#include "view.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "cause.h"
#include "tool.h"

/* One row: what is seen, and whose it is. Two equal sources mean that the row is shared. */
struct row {
    const char *name;
    char seen[48];
    char source[64];
};

enum { MOST_ROWS = 28 };

struct view {
    struct row rows[MOST_ROWS];
    int count;
};

static struct view host;
static bool colour;        /* it is printed on a terminal; the box may have a pipe to it instead */
static int host_proc = -1; /* the host's /proc: it answers even where the box has none */

static void add(struct view *view, const char *name, const char *source, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void add(struct view *view, const char *name, const char *source, const char *format, ...)
{
    struct row *row = &view->rows[view->count++];
    va_list arguments;

    row->name = name;
    snprintf(row->source, sizeof(row->source), "%s", source);
    va_start(arguments, format);
    vsnprintf(row->seen, sizeof(row->seen), format, arguments);
    va_end(arguments);
}

/* The text behind /proc/self/PATH, as the host's /proc tells it of this very process. */
static void read_self(const char *path, char *text, size_t size)
{
    char full[64];
    ssize_t length = 0, got;

    snprintf(full, sizeof(full), "self/%s", path);
    int file = openat(host_proc, full, O_RDONLY | O_CLOEXEC);
    while (file != -1 && (got = read(file, text + length, size - 1 - (size_t)length)) > 0)
        length += got;
    if (file != -1)
        close(file);
    text[length] = '\0';
}

static int count_lines(const char *path)
{
    static char text[1 << 18];
    int lines = 0;

    read_self(path, text, sizeof(text));
    for (const char *c = text; *c != '\0'; c++)
        lines += *c == '\n';
    return lines;
}

/* A namespace is known by its kind and inode number: "uts:[4026531838]". See namespaces(7). */
static void read_namespace(const char *kind, char *name, size_t size)
{
    char path[64];

    snprintf(path, sizeof(path), "self/ns/%s", kind);
    ssize_t length = readlinkat(host_proc, path, name, size - 1);
    name[length > 0 ? length : 0] = '\0';
}

static void look_at_root(struct view *view, const char *mount_namespace)
{
    struct stat root;
    char source[64];

    if (stat("/", &root) == -1)
        die("stat /");
    snprintf(source, sizeof(source), "%ju:%ju", (uintmax_t)root.st_dev, (uintmax_t)root.st_ino);
    add(view, "root directory", source, "device %u:%u inode %ju", major(root.st_dev),
        minor(root.st_dev), (uintmax_t)root.st_ino);
    add(view, "mounts", mount_namespace, "%d", count_lines("mountinfo"));
}

static void look_at_names(struct view *view, const char *uts_namespace)
{
    struct utsname names;

    uname(&names);
    add(view, "host name", uts_namespace, "%s", names.nodename);
    add(view, "domain name", uts_namespace, "%s", names.domainname);
}

/* Other processes are seen through /proc. Which ones it shows is settled when it is mounted. */
static void look_at_processes(struct view *view, const char *pid_namespace)
{
    struct stat proc;
    char source[64];
    int seen = 0;
    DIR *directory = opendir("/proc");
    struct dirent *entry;

    add(view, "own PID", pid_namespace, "%d", getpid());
    while (directory != NULL && (entry = readdir(directory)) != NULL)
        seen += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
    if (directory != NULL)
        closedir(directory);
    if (seen > 0 && stat("/proc", &proc) == 0) {
        snprintf(source, sizeof(source), "/proc on %ju", (uintmax_t)proc.st_dev);
        add(view, "processes seen", source, "%d", seen);
    } else {
        add(view, "processes seen", pid_namespace, "no /proc here");
    }
}

static void look_at_ipc(struct view *view, const char *ipc_namespace)
{
    struct msginfo queues;
    struct seminfo semaphores;
    struct shm_info segments;

    /* The _INFO commands fill structures of their own, whatever the pointer's type: msgctl(2). */
    if (msgctl(0, MSG_INFO, (struct msqid_ds *)(void *)&queues) == -1 ||
        semctl(0, 0, SEM_INFO, &semaphores) == -1 ||
        shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&segments) == -1)
        add(view, "IPC objects", ipc_namespace, "none: %s", strerror(errno));
    else
        add(view, "IPC objects", ipc_namespace, "%d queues %d sem %d shm", queues.msgpool,
            semaphores.semusz, segments.used_ids);
}

static void look_at_identity(struct view *view, const char *user_namespace)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    char source[64];

    syscall(SYS_capget, &header, data);
    uint64_t effective = data[0].effective | (uint64_t)data[1].effective << 32;
    add(view, "user and group", user_namespace, "%u:%u", geteuid(), getegid());
    snprintf(source, sizeof(source), "%.31s %jx", user_namespace, (uintmax_t)effective);
    add(view, "capabilities", source, "%d (%jx)", __builtin_popcountll(effective),
        (uintmax_t)effective);
}

static void look_at_network(struct view *view, const char *net_namespace)
{
    struct if_nameindex *interfaces = if_nameindex();
    char names[48] = "";

    for (int i = 0; interfaces != NULL && interfaces[i].if_index != 0; i++)
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i ? " " : "",
                 interfaces[i].if_name);
    if (interfaces != NULL)
        if_freenameindex(interfaces);
    add(view, "interfaces", net_namespace, "%s", interfaces != NULL ? names : "can't be read");
    int lines = count_lines("net/route"); /* the first one is a heading */
    add(view, "routes", net_namespace, "%d", lines > 0 ? lines - 1 : 0);
}

/* A file of the cgroup's interface, "max" where there is none: then nothing is limited. */
static void read_limit(const char *group, const char *file, char *text, size_t size)
{
    char path[512];

    snprintf(path, sizeof(path), "/sys/fs/cgroup%s/%s", group, file);
    first_line(path, text, size);
    if (text[0] == '\0')
        snprintf(text, size, "max");
}

/* A number of bytes as people write it. What is not a number ("max") stays. */
static void shorten_bytes(char *text, size_t size)
{
    char *end;
    long long bytes = strtoll(text, &end, 10);
    int unit = 0;

    if (end == text)
        return;
    for (; bytes >= 10240 && unit < 3; unit++)
        bytes /= 1024;
    snprintf(text, size, "%lld%.*s", bytes, unit > 0, &"BKMG"[unit]);
}

/* What the cgroup may use, and what it does use. The host's top group has neither. */
static void look_at_limits(struct view *view, const char *group, const char *source)
{
    char cpu[32], memory[32], pids[32], share[16] = "max";
    long long quota, period;

    if (access("/sys/fs/cgroup/cgroup.controllers", R_OK) == -1) {
        add(view, "limits", source, "no cgroup tree here");
        add(view, "in use", source, "no cgroup tree here");
        return;
    }
    read_limit(group, "cpu.max", cpu, sizeof(cpu));
    read_limit(group, "memory.max", memory, sizeof(memory));
    read_limit(group, "pids.max", pids, sizeof(pids));
    if (sscanf(cpu, "%lld %lld", &quota, &period) == 2)
        snprintf(share, sizeof(share), "%lld%%", 100 * quota / period);
    shorten_bytes(memory, sizeof(memory));
    add(view, "limits", source, "cpu %s mem %s pids %s", share, memory, pids);

    read_limit(group, "memory.current", memory, sizeof(memory));
    read_limit(group, "pids.current", pids, sizeof(pids));
    shorten_bytes(memory, sizeof(memory));
    bool counted = strcmp(memory, "max") != 0 || strcmp(pids, "max") != 0;
    if (counted)
        add(view, "in use", source, "mem %s pids %s", memory, pids);
    else
        add(view, "in use", source, "not counted");
}

static void look_at_cgroup(struct view *view, const char *cgroup_namespace)
{
    char text[4096], source[64];

    read_self("cgroup", text, sizeof(text));
    char *group = strstr(text, "0::");
    if (group != NULL) {
        group += strlen("0::");
        group[strcspn(group, "\n")] = '\0';
    }
    add(view, "cgroup", cgroup_namespace, "%s", group != NULL ? group : "no cgroup v2");
    snprintf(source, sizeof(source), "%s %.40s", cgroup_namespace, group != NULL ? group : "");
    look_at_limits(view, group != NULL ? group : "", source);
}

static void look_at_clock(struct view *view, const char *time_namespace)
{
    struct timespec boot;

    clock_gettime(CLOCK_BOOTTIME, &boot);
    add(view, "boot clock", time_namespace, "%jd s", (intmax_t)boot.tv_sec);
}

static void look(struct view *view)
{
    static const char *const kinds[] = {"mnt",  "uts", "pid",    "ipc",
                                        "user", "net", "cgroup", "time"};
    enum { MNT, UTS, PID, IPC, USER, NET, CGROUP, TIME, KINDS };
    char names[KINDS][32];

    for (int i = 0; i < KINDS; i++) {
        read_namespace(kinds[i], names[i], sizeof(names[i]));
        add(view, "namespace", names[i], "%s", names[i]);
    }
    look_at_root(view, names[MNT]);
    look_at_names(view, names[UTS]);
    look_at_processes(view, names[PID]);
    look_at_ipc(view, names[IPC]);
    look_at_identity(view, names[USER]);
    look_at_network(view, names[NET]);
    look_at_cgroup(view, names[CGROUP]);
    look_at_clock(view, names[TIME]);
}

void view_remember_host(void)
{
    if (host.count > 0) /* --view has been said twice */
        return;
    host_proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (host_proc == -1 || faccessat(host_proc, "self/ns", F_OK, 0) == -1)
        die("--view needs the host's /proc");
    colour = isatty(STDOUT_FILENO);
    look(&host);
}

void view_in_place_of_command(void)
{
    struct view box = {.count = 0};

    if (host.count == 0)
        return;
    look(&box);
    printf("%-15s %-26s %-26s\n", "", "HOST", "BOX");
    for (int i = 0; i < host.count; i++) {
        const struct row *outside = &host.rows[i], *inside = &box.rows[i];
        bool isolated = strcmp(outside->source, inside->source) != 0;
        printf("%-15s %-26.26s %-26.26s %s%s%s\n", outside->name, outside->seen, inside->seen,
               colour ? (isolated ? "\033[32m" : "\033[33m") : "", isolated ? "isolated" : "shared",
               colour ? "\033[0m" : "");
    }
    if (fflush(stdout) != 0)
        die("write");
    exit(EXIT_SUCCESS);
}
