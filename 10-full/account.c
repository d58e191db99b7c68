#include "account.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/inside.h"

enum { LARGEST_FILE = 4 << 20 };

/*
 * PATH in ROOT, NULL if there is none. The image may have made it anything: a device that answers
 * for ever, a fifo that never does, a link to a file of the host.
 */
static FILE *open_text(const struct root *root, const char *path)
{
    struct stat status;
    int file = open_inside(root->directory, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);

    if (file == -1 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return NULL;
    if (file == -1 || fstat(file, &status) == -1)
        die("%s in the box", path);
    if (!S_ISREG(status.st_mode) || status.st_size > LARGEST_FILE)
        fail("%s in the box: is not a file, or longer than 4 MiB", path);
    FILE *text = fdopen(file, "r");
    if (text == NULL)
        die("%s in the box", path);
    return text;
}

/* TEXT as an id. False if it is anything but digits, or too large: -1 means "none" to the kernel.
 */
static bool parse_id(const char *text, unsigned *id)
{
    if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text) || strlen(text) > 10)
        return false;
    unsigned long long number = strtoull(text, NULL, 10);
    *id = (unsigned)number;
    return number < (uid_t)-1;
}

/* Does NAME, a name or a number, name what is called OTHER and has this ID? -1 is none. */
static bool is_named(const char *name, const char *other, unsigned id)
{
    unsigned wanted;

    return id != (uid_t)-1 &&
           (strcmp(name, other) == 0 || (parse_id(name, &wanted) && wanted == id));
}

static void find_user(FILE *users, const char *user, struct account *account)
{
    struct passwd *line = NULL;

    while (users != NULL && (line = fgetpwent(users)) != NULL)
        if (is_named(user, line->pw_name, line->pw_uid))
            break;
    strcpy(account->home, "/");
    if (line != NULL) {
        account->user = line->pw_uid;
        account->group = line->pw_gid;
        snprintf(account->name, sizeof(account->name), "%s", line->pw_name);
        if (line->pw_dir[0] == '/')
            snprintf(account->home, sizeof(account->home), "%s", line->pw_dir);
    } else if (!parse_id(user, &account->user)) {
        fail("user '%s': is not in the box's /etc/passwd", user);
    }
}

static gid_t find_group(FILE *groups, const char *group)
{
    struct group *line;
    gid_t id;

    if (groups != NULL)
        rewind(groups);
    while (groups != NULL && (line = fgetgrent(groups)) != NULL)
        if (is_named(group, line->gr_name, line->gr_gid))
            return line->gr_gid;
    if (!parse_id(group, &id))
        fail("group '%s': is not in the box's /etc/group", group);
    return id;
}

static void add_group(struct account *account, gid_t id)
{
    if (account->group_count == MOST_GROUPS)
        fail("user %u: is in more than %d groups", account->user, MOST_GROUPS);
    account->groups[account->group_count++] = id;
}

/* The groups that have the user among their members. */
static void add_memberships(FILE *groups, struct account *account)
{
    struct group *line;

    if (groups == NULL || account->name[0] == '\0')
        return;
    rewind(groups);
    while ((line = fgetgrent(groups)) != NULL)
        for (char **member = line->gr_mem; *member != NULL; member++)
            if (strcmp(*member, account->name) == 0 && line->gr_gid != (gid_t)-1) {
                add_group(account, line->gr_gid);
                break;
            }
}

void account_find(const struct root *root, const char *text, const char *more,
                  struct account *account)
{
    FILE *users = open_text(root, "/etc/passwd"), *groups = open_text(root, "/etc/group");
    char *group = strdupa(text == NULL ? "" : text), *rest = strdupa(more), *name;
    const char *user = strsep(&group, ":");

    memset(account, 0, sizeof(*account));
    find_user(users, user[0] == '\0' ? "0" : user, account);
    if (group != NULL)
        account->group = find_group(groups, group);
    while ((name = strsep(&rest, ",")) != NULL)
        if (name[0] != '\0')
            add_group(account, find_group(groups, name));
    if (group == NULL)
        add_memberships(groups, account);
    if (account->group == (gid_t)-1) /* "unchanged", to the kernel */
        fail("user '%s': has no valid group in the box's /etc/passwd", user);
    if (users != NULL)
        fclose(users);
    if (groups != NULL)
        fclose(groups);
}

/* An id that the user namespace has no number for outside is an EINVAL. */
static void hint_unmapped(void)
{
    if (errno == EINVAL)
        hint("the box's user namespace has no such id: see its /proc/self/uid_map and gid_map");
}

void account_become(const struct account *account, bool keep_groups)
{
    unsigned user = account->user, group = account->group, count = (unsigned)account->group_count;

    if (!keep_groups) {
        explain("# setpriv --groups=... or --clear-groups\tsetgroups(%u)", count);
        if (setgroups(count, account->groups) == -1) {
            hint_unmapped();
            die("setgroups");
        }
    }
    explain("setpriv --regid %u\tsetresgid(%u, %u, %u)", group, group, group, group);
    if (setresgid(group, group, group) == -1) {
        hint_unmapped();
        die("become group %u", group);
    }
    explain("setpriv --reuid %u\tsetresuid(%u, %u, %u)", user, user, user, user);
    if (setresuid(user, user, user) == -1) {
        hint_unmapped();
        die("become user %u", user);
    }
}
