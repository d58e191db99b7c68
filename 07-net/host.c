#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "lock.h"
#include "setting.h"

enum {
    LONGEST_WAIT = 30000, /* milliseconds, for others who start or end */
    LONGEST_END = 2000    /* from the end of a process's namespaces to its own */
};

bool host_is_box(const struct link *link)
{
    return strcmp(link->kind, "veth") == 0 &&
           strncmp(link->alias, HOST_MARK " ", strlen(HOST_MARK " ")) == 0;
}

void host_name_box(uint32_t address, char *name)
{
    snprintf(name, IF_NAMESIZE, "box-%08x", address);
}

/* The zero in front makes it a name of this network namespace, and not of a file: unix(7). */
static int hold_name(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length =
        snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, NAT_PREFIX "%s", name);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1) + (socklen_t)length;
    int held = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (held == -1 || bind(held, (struct sockaddr *)&address, size) == 0)
        return held;
    close(held);
    return -1;
}

int host_hold_box(const char *name)
{
    int held = hold_name(name);
    return held != -1 ? held : report("hold the name %s", name);
}

bool host_box_lives(const char *name)
{
    int held = hold_name(name);
    if (held != -1)
        close(held);
    return held == -1;
}

int host_box_ended(pid_t box)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    siginfo_t end = {.si_pid = 0};

    for (int waited = 0; end.si_pid == 0 && waited < LONGEST_END; waited += 5) {
        if (waitid(P_PID, (id_t)box, &end, WEXITED | WNOHANG | WNOWAIT) == -1)
            return report("wait for the box");
        if (end.si_pid == 0)
            nanosleep(&pause, NULL);
    }
    errno = ENOENT;
    if (end.si_pid == 0)
        return report("the box's network namespace");
    if (end.si_code != CLD_EXITED)
        (void)refuse("the box was killed");
    return -ENOENT;
}

int host_lock(int file)
{
    return lock_wait(file, LONGEST_WAIT);
}

int host_report_lock(const char *what)
{
    if (errno == EWOULDBLOCK)
        hint("somebody else has locked it and does not let go: see 'lslocks'");
    return report("%s", what);
}

/* The lock is on the namespace itself: nobody need make a file for it, and it dies with its holder.
 */
static int lock(struct host *host)
{
    host->lock = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (host->lock == -1)
        return report("open /proc/self/ns/net");
    return host_lock(host->lock) == 0 ? 0 : host_report_lock("/proc/self/ns/net");
}

static int look_at_links(struct host *host)
{
    int error = netlink_open(&host->route, NETLINK_ROUTE);

    if (error == 0)
        error = link_list(&host->route, &host->links);
    return error == 0 ? 0 : netlink_report(&host->route, error);
}

static int look_at_tables(struct host *host, bool rules)
{
    int error = netlink_open(&host->filter, NETLINK_NETFILTER);

    if (error == 0)
        error = nat_list(&host->filter, &host->tables);
    if (!rules && (error == -EPROTONOSUPPORT || error == -EOPNOTSUPP))
        return 0; /* without nf_tables there can be none of ours */
    return error == 0 ? 0 : nat_report(&host->filter, error);
}

int host_enter(struct host *host, bool rules)
{
    memset(&host->links, 0, sizeof(host->links));
    memset(&host->tables, 0, sizeof(host->tables));
    host->route.socket = host->filter.socket = -1;
    host->deleted = false;
    int error = lock(host);
    if (error == 0)
        error = look_at_links(host);
    if (error == 0)
        error = look_at_tables(host, rules);
    return error;
}

/*
 * When rules have been deleted, the last close(2) of the socket waits until the kernel has freed
 * them, 10 to 30 ms. Nobody needs to wait for that but a child, which holds nothing else: a name or
 * a port that it still held would look as if a box lived on. So wait until it has let go of its end
 * of the pipe, and with it of all the rest.
 */
static void close_last(int socket)
{
    int ends[2];
    char nothing;

    if (pipe2(ends, O_CLOEXEC) == -1)
        return;
    if (fork() == 0) {
        syscall(SYS_close_range, 0, socket - 1, 0);
        syscall(SYS_close_range, socket + 1, ~0U, 0);
        _exit(0);
    }
    close(ends[1]);
    (void)!read(ends[0], &nothing, 1);
    close(ends[0]);
}

void host_leave(struct host *host)
{
    if (host->lock != -1)
        close(host->lock); /* first: the others need not wait until the rest is cleared away */
    link_free(&host->links);
    nat_free(&host->tables);
    netlink_close(&host->route);
    if (host->deleted)
        close_last(host->filter.socket);
    netlink_close(&host->filter);
}

/* Does a link other than those of dead boxes keep the bridge in use? */
static bool is_used(const struct host *host, const struct link *bridge)
{
    for (int i = 0; i < host->links.link_count; i++) {
        const struct link *port = &host->links.links[i];
        if (port->master == bridge->index && (!host_is_box(port) || host_box_lives(port->name)))
            return true;
    }
    return false;
}

int host_send(struct host *host)
{
    int error = netlink_send(&host->route);

    if (error == -EOPNOTSUPP)
        hint("this kernel lacks that kind of link; 'modprobe -a bridge veth' may help");
    return error == 0 ? 0 : netlink_report(&host->route, error);
}

/* Delete a bridge of ours, and with it what is left of the boxes on it. */
static int delete_bridge(struct host *host, const struct link *bridge)
{
    uint32_t group = bridge->group;
    bool ours_alone = group != 0;

    for (int i = 0; i < host->links.link_count; i++) {
        const struct link *other = &host->links.links[i];
        if (other->group == group && other->index != bridge->index &&
            other->master != bridge->index)
            ours_alone = false; /* somebody has moved a link into the group, or off the bridge */
    }
    if (ours_alone)
        link_delete_group(&host->route, group);
    else
        link_delete(&host->route, bridge->name);
    int error = host_send(host);
    if (error != 0)
        return error;
    link_forget(&host->links, bridge->index);
    for (int i = host->links.link_count - 1; i >= 0 && ours_alone; i--)
        if (host->links.links[i].group == group)
            link_forget(&host->links, host->links.links[i].index);
    return 0;
}

int host_sweep(struct host *host)
{
    struct nat_tables *tables = &host->tables;
    int error = 0;

    for (int i = 0; i < tables->count && error == 0; i++) {
        struct nat_table dead = tables->tables[i];
        if (host_box_lives(dead.name + strlen(NAT_PREFIX)))
            continue;
        /* In this order: once the table is gone, nobody knows any more what is to be restored. */
        error = setting_restore(dead.note, tables, dead.name);
        if (error == 0)
            error = nat_delete(&host->filter, dead.name);
        host->deleted = true;
        tables->tables[i--] = tables->tables[--tables->count];
    }
    for (int i = 0; i < host->links.link_count && error == 0; i++) {
        struct link *bridge = &host->links.links[i];
        if (strcmp(bridge->kind, "bridge") != 0 || strcmp(bridge->alias, HOST_MARK) != 0 ||
            is_used(host, bridge))
            continue;
        error = delete_bridge(host, bridge);
        i = -1; /* the list is another now */
    }
    return error;
}
