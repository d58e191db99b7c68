/*
 * bare_net: the kernel operations of one run of 'net true' with nothing around them, to measure
 * against: nothing is looked up, checked, explained or prepared for what might go wrong.
 *
 *   bare_net once            bridge, rules, box, and everything away again
 *   bare_net keep NAME       the box alone, on the bridge NAME, which must exist and stays
 *   bare_net time COUNT PAUSE COMMAND…
 *                            the median time of COUNT runs of a command in microseconds, with PAUSE
 *                            microseconds between them
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../07-net/link.h"
#include "../../07-net/nat.h"
#include "../../07-net/netlink.h"

#define TOKEN "0123456789abcdef"

enum { BRIDGE = 0x0a580001, BOX = 0x0a580002, PREFIX = 24 };

static void must(int error)
{
    if (error != 0)
        exit(1);
}

static void write_file(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file == -1 || write(file, text, 1) != 1)
        perror(path);
    close(file);
}

static void make_bridge(const char *bridge)
{
    link_add_bridge(bridge, TOKEN);
    must(netlink_send(NETLINK_ROUTE, 0));
    link_add_address(bridge, BRIDGE, PREFIX);
    must(netlink_send(NETLINK_ROUTE, 0));
}

/* What the box does: mounts of its own, /sys, and its end of the pair. */
static void be_the_box(int go)
{
    char byte;

    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    if (read(go, &byte, 1) != 1)
        _exit(1);
    link_up("lo");
    link_without_ipv6("eth0");
    link_up("eth0");
    link_add_address("eth0", BOX, PREFIX);
    link_add_default_route(BRIDGE);
    must(netlink_send(NETLINK_ROUTE, 0));
    execl("/bin/true", "true", NULL);
    _exit(127);
}

static void run(const char *bridge, bool keep)
{
    char path[64], name[16], forwarding[64];
    int go[2];

    snprintf(forwarding, sizeof(forwarding), "/proc/sys/net/ipv4/conf/%s/forwarding", bridge);
    if (!keep) {
        make_bridge(bridge);
        must(nat_add_table(TOKEN));
        write_file(forwarding, "1");
    }
    if (pipe2(go, O_CLOEXEC) == -1)
        exit(1);
    /* As clone3 does it: both namespaces at once. */
    struct {
        unsigned long long flags, pidfd, child_tid, parent_tid, exit_signal, stack, size, tls;
    } arguments = {.flags = CLONE_NEWNET | CLONE_NEWNS, .exit_signal = SIGCHLD};
    pid_t box = (pid_t)syscall(435, &arguments, sizeof(arguments));
    if (box == 0)
        be_the_box(go[0]);
    snprintf(path, sizeof(path), "/proc/%d/ns/net", box);
    snprintf(name, sizeof(name), "bare-%d", box);
    int name_space = open(path, O_RDONLY | O_CLOEXEC);
    link_add_pair(name, bridge, name_space, BOX);
    must(netlink_send(NETLINK_ROUTE, 0));
    close(name_space);
    if (write(go[1], "g", 1) != 1)
        exit(1);
    close(go[0]);
    close(go[1]);
    waitpid(box, NULL, 0);
    if (!keep) {
        must(nat_remove(NULL, NULL, TOKEN));
        must(link_remove_bridge(bridge, TOKEN));
    }
}

static int compare(const void *a, const void *b)
{
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

static double time_one(char **command)
{
    struct timespec begin, end;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    pid_t pid = vfork();
    if (pid == 0) {
        execvp(command[0], command);
        _exit(127);
    }
    int status;
    waitpid(pid, &status, 0);
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (status != 0)
        exit(1);
    return (double)(end.tv_sec - begin.tv_sec) * 1e6 + (double)(end.tv_nsec - begin.tv_nsec) / 1e3;
}

static int time_many(int count, useconds_t gap, char **command)
{
    double *times = calloc((size_t)count, sizeof(*times));

    if (count < 1 || times == NULL)
        return 2;
    for (int i = 0; i < count; i++) {
        usleep(gap);
        times[i] = time_one(command);
    }
    qsort(times, (size_t)count, sizeof(*times), compare);
    printf("%.0f\n", times[count / 2]);
    free(times);
    return 0;
}

int main(int argc, char **argv)
{
    bool keep = argc == 3 && strcmp(argv[1], "keep") == 0;

    if (argc > 4 && strcmp(argv[1], "time") == 0)
        return time_many(atoi(argv[2]), (useconds_t)atoi(argv[3]), argv + 4);
    if (!keep && (argc != 2 || strcmp(argv[1], "once") != 0))
        return 2;
    run(keep ? argv[2] : "bare0", keep);
    return 0;
}
