#define _GNU_SOURCE
#include "etc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../07-net/link.h"
#include "../07-net/network.h"

#define GATEWAY "host-gateway"

/* --- passwd and group ------------------------------------------------------------------------- */

static const unsigned none = -1U; /* no id: the kernel takes it for "unchanged" */

/*
 * PATH in ROOT, an empty file if there is none. The image may have made it anything: a device that
 * answers for ever, a fifo that never does, a link to a file of the host.
 */
static FILE *open_text(const struct root *root, const char *path)
{
    struct stat status;
    int file = open_inside(root->directory, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    bool missing = file == -1 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP);

    if (!missing && (file == -1 || fstat(file, &status) == -1))
        die("%s in the box", path);
    if (!missing && !S_ISREG(status.st_mode))
        fail("%s in the box: is not a file", path);
    FILE *text = missing ? fopen("/dev/null", "re") : fdopen(file, "r");
    if (text == NULL)
        die("%s in the box", path);
    return text;
}

/* Does NAME, a name or a number, name what is called OTHER and has this ID? */
static bool is_named(const char *name, const char *other, unsigned id)
{
    char number[16];

    snprintf(number, sizeof(number), "%u", id);
    return id != none && (strcmp(name, other) == 0 || strcmp(name, number) == 0);
}

/* TEXT, a WHAT that is not in FILE, as a number. */
static unsigned read_id(const char *text, const char *what, const char *file)
{
    char *end;
    unsigned long long id = strtoull(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || id >= none)
        fail("%s '%s' not found in the box's %s", what, text, file);
    return (unsigned)id;
}

/* Returns the user's name, which stays until the next call; "" for one without a line. */
static const char *find_user(FILE *users, const char *user, struct account *account)
{
    const struct passwd *line = NULL;

    while ((line = fgetpwent(users)) != NULL)
        if (line->pw_gid != none && is_named(user, line->pw_name, line->pw_uid))
            break;
    account->user = line != NULL ? line->pw_uid : read_id(user, "user", "/etc/passwd");
    account->group = line != NULL ? line->pw_gid : 0;
    snprintf(account->home, sizeof(account->home), "%s",
             line != NULL && line->pw_dir[0] == '/' ? line->pw_dir : "/");
    return line != NULL ? line->pw_name : "";
}

static gid_t find_group(FILE *groups, const char *group)
{
    const struct group *line;

    rewind(groups);
    while ((line = fgetgrent(groups)) != NULL)
        if (is_named(group, line->gr_name, line->gr_gid))
            return line->gr_gid;
    return read_id(group, "group", "/etc/group");
}

static void add_group(struct account *account, gid_t id)
{
    if (account->group_count == MAX_GROUPS)
        fail("user %u: is in more than %d groups", account->user, MAX_GROUPS);
    account->groups[account->group_count++] = id;
}

/* The groups that have NAME among their members. */
static void add_memberships(FILE *groups, const char *name, struct account *account)
{
    const struct group *line;

    rewind(groups);
    while ((line = fgetgrent(groups)) != NULL)
        for (char **member = line->gr_mem; *member != NULL && line->gr_gid != none; member++)
            if (strcmp(*member, name) == 0)
                add_group(account, line->gr_gid);
}

void account_find(const struct root *root, const char *text, char *const *more,
                  struct account *account)
{
    FILE *users = open_text(root, "/etc/passwd"), *groups = open_text(root, "/etc/group");
    char *group = strdupa(text == NULL ? "" : text);
    const char *user = strsep(&group, ":");

    account->group_count = 0;
    const char *name = find_user(users, user[0] == '\0' ? "0" : user, account);
    if (group != NULL)
        account->group = find_group(groups, group);
    for (; more != NULL && *more != NULL; more++)
        add_group(account, find_group(groups, *more));
    if (group == NULL)
        add_memberships(groups, name, account);
    fclose(users);
    fclose(groups);
}

/* The system call for WHAT has returned RESULT. */
static void check(int result, const char *what, unsigned id)
{
    if (result == 0)
        return;
    if (errno == EINVAL)
        hint("the box's user namespace has no such id: see its /proc/self/uid_map and gid_map");
    die("%s %u", what, id);
}

void account_become(const struct account *account, bool keep_groups)
{
    unsigned user = account->user, group = account->group, count = (unsigned)account->group_count;

    if (!keep_groups) {
        explain("# setpriv --groups=... or --clear-groups\tsetgroups(%u)", count);
        check(setgroups(count, account->groups), "setgroups", count);
    }
    explain("setpriv --regid %u\tsetresgid(%u, %u, %u)", group, group, group, group);
    check(setresgid(group, group, group), "become group", group);
    explain("setpriv --reuid %u\tsetresuid(%u, %u, %u)", user, user, user, user);
    check(setresuid(user, user, user), "become user", user);
}

/* --- hosts and resolv.conf -------------------------------------------------------------------- */

const char *hosts_check(const char *text)
{
    char *name = strdupa(text), *address = name + strcspn(name, ":=");
    struct in6_addr binary;

    if (*address == '\0')
        fail("invalid host '%s': expected NAME:ADDRESS, such as db:10.0.0.5", text);
    *address++ = '\0';
    network_check_name("host", name, 253);
    if (strcmp(address, GATEWAY) != 0 && inet_pton(AF_INET, address, &binary) != 1 &&
        inet_pton(AF_INET6, address, &binary) != 1)
        fail("invalid host '%s': expected an IPv4 or IPv6 address or " GATEWAY " after the name",
             text);
    return text;
}

/* The text of /etc/hosts: localhost, then lines for ADDED, then the box's own NAME at ADDRESS. */
static char *compose(char *const *added, const char *name, uint32_t address, uint32_t gateway)
{
    const char *own = link_address_text(address), *outside = link_address_text(gateway);
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    if (file == NULL)
        die("open_memstream");
    fprintf(file, "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
    for (; added != NULL && *added != NULL; added++) {
        int length = (int)strcspn(*added, ":=");
        const char *other = *added + length + 1;
        fprintf(file, "%s %.*s\n", strcmp(other, GATEWAY) == 0 ? outside : other, length, *added);
    }
    fprintf(file, "%s %s\n", own, name);
    if (fclose(file) != 0)
        die("write the box's /etc/hosts");
    return text;
}

/*
 * Does PATH exist in ROOT? A link whose target is missing counts, as systemd's stub-resolv.conf is
 * while no systemd runs, if ROOT can be written to: there the target can be made.
 */
static bool exists(const struct root *root, const char *path)
{
    int there = root_find(root, path);

    if (there == -1 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
        die("look for %s", target_shown(root, path));
    if (there == -1 && errno == ENOENT && faccessat(root->directory, ".", W_OK, 0) == 0)
        there = open_inside(root->directory, path, O_PATH | O_NOFOLLOW, 0);
    return there != -1;
}

/* Let the file NAME of ROOT's /etc be TEXT, in a file of the box's own in its /dev, DEV. */
static void cover(const struct root *root, const struct root *dev, const char *name,
                  const char *text, bool make)
{
    char path[64];

    snprintf(path, sizeof(path), "/etc/%s", name);
    if (make || exists(root, path))
        resolv_cover(root, path, text, dev);
}

void hosts_bind(const struct root *root, const struct root *dev, const struct spec *spec)
{
    const struct lease here = {.address = INADDR_LOOPBACK, .gateway = INADDR_LOOPBACK};
    const struct lease *lease = spec->linked ? spec->net.lease : &here;
    bool image = spec->layers.directory == NULL;
    char *hosts = compose(spec->hosts, spec->hostname, lease->address, lease->gateway);

    if (spec->resolv != NULL && spec->resolv[0] != '\0')
        cover(root, dev, "resolv.conf", spec->resolv, image || spec->net.dns_count > 0);
    cover(root, dev, "hosts", hosts, image || spec->hosts != NULL);
    free(hosts);
}
