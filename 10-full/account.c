#include "account.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/inside.h"

enum { LARGEST_FILE = 4 << 20, MOST_FIELDS = 7 };

/*
 * The text of PATH in ROOT, allocated; empty if there is none. The image may have made it anything:
 * a device that answers for ever, a fifo that never does, a link to a file of the host.
 */
static char *read_text(const struct root *root, const char *path)
{
    struct stat status;
    int file = open_inside(root->directory, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);

    if (file == -1 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return strdup("");
    if (file == -1 || fstat(file, &status) == -1)
        die("%s in the box", path);
    if (!S_ISREG(status.st_mode) || status.st_size > LARGEST_FILE)
        fail("%s in the box: is not a file, or longer than 4 MiB", path);
    char *text = calloc(1, (size_t)status.st_size + 1);
    if (text == NULL || read(file, text, (size_t)status.st_size) == -1)
        die("%s in the box", path);
    close(file);
    return text;
}

/* TEXT as an id. False if it is anything but digits, or too large: -1 means "none" to the kernel.
 */
static bool parse_id(const char *text, unsigned *id)
{
    unsigned long long number = 0;

    if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text) || strlen(text) > 10)
        return false;
    number = strtoull(text, NULL, 10);
    *id = (unsigned)number;
    return number < (uid_t)-1;
}

/*
 * Cut the next line off *REST into its fields, which ":" parts. Lines that don't have exactly COUNT
 * fields are passed over. False at the end of the text.
 */
static bool next_line(char **rest, char *fields[], int count)
{
    char *line;

    while ((line = strsep(rest, "\n")) != NULL) {
        int found = 0;
        for (char *field; (field = strsep(&line, ":")) != NULL; found++)
            if (found < count)
                fields[found] = field;
        if (found == count)
            return true;
    }
    return false;
}

/* passwd(5): name, password, user, group, comment, home, shell. False if USER is not in TEXT. */
static bool find_user(char *text, const char *user, struct account *account)
{
    char *fields[MOST_FIELDS];
    unsigned wanted = 0, id, group;
    bool is_number = parse_id(user, &wanted);

    while (next_line(&text, fields, 7)) {
        if (!parse_id(fields[2], &id) || !parse_id(fields[3], &group))
            continue;
        if (strcmp(fields[0], user) != 0 && !(is_number && id == wanted))
            continue;
        account->user = id;
        account->group = group;
        snprintf(account->name, sizeof(account->name), "%s", fields[0]);
        if (fields[5][0] == '/')
            snprintf(account->home, sizeof(account->home), "%s", fields[5]);
        return true;
    }
    account->user = wanted;
    return is_number;
}

/* group(5): name, password, group, members. False if GROUP is not in TEXT and is no number. */
static bool find_group(char *text, const char *group, gid_t *id)
{
    char *fields[MOST_FIELDS];
    unsigned wanted = 0, each;
    bool is_number = parse_id(group, &wanted);

    while (next_line(&text, fields, 4)) {
        if (!parse_id(fields[2], &each))
            continue;
        if (strcmp(fields[0], group) == 0 || (is_number && each == wanted)) {
            *id = each;
            return true;
        }
    }
    *id = wanted;
    return is_number;
}

/* Is NAME one of MEMBERS, which "," parts? */
static bool is_member(const char *members, const char *name)
{
    size_t length = strlen(name);

    for (; *members != '\0'; members += strcspn(members, ","), members += *members == ',')
        if (strcspn(members, ",") == length && strncmp(members, name, length) == 0)
            return true;
    return false;
}

static void add_group(struct account *account, gid_t id)
{
    if (account->group_count == MOST_GROUPS)
        fail("user %u: is in more than %d groups", account->user, MOST_GROUPS);
    account->groups[account->group_count++] = id;
}

static void find_memberships(char *text, struct account *account)
{
    char *fields[MOST_FIELDS];
    unsigned id;

    if (account->name[0] == '\0')
        return;
    while (next_line(&text, fields, 4)) {
        if (is_member(fields[3], account->name) && parse_id(fields[2], &id))
            add_group(account, id);
    }
}

/* GROUP as TEXT, which stays as it is, has it. */
static gid_t group_named(const char *text, const char *group)
{
    char *copy = strdup(text);
    gid_t id;

    if (copy == NULL)
        die("strdup");
    if (!find_group(copy, group, &id))
        fail("group '%s': is not in the box's /etc/group", group);
    free(copy);
    return id;
}

void account_find(const struct root *root, const char *text, const char *more,
                  struct account *account)
{
    char *copy = strdup(text == NULL || text[0] == '\0' ? "0" : text);
    if (copy == NULL)
        die("strdup");
    char *group = copy;
    const char *user = strsep(&group, ":");
    char *users = read_text(root, "/etc/passwd"), *groups = read_text(root, "/etc/group");

    if (users == NULL || groups == NULL)
        die("strdup");
    memset(account, 0, sizeof(*account));
    strcpy(account->home, "/");
    if (!find_user(users, user[0] == '\0' ? "0" : user, account))
        fail("user '%s': is not in the box's /etc/passwd", user);
    if (group != NULL)
        account->group = group_named(groups, group);
    for (char *rest = strdupa(more), *name; (name = strsep(&rest, ",")) != NULL;)
        if (name[0] != '\0')
            add_group(account, group_named(groups, name));
    if (group == NULL)
        find_memberships(groups, account);
    free(users);
    free(groups);
    free(copy);
}

/* An id that the user namespace has no number for outside: EINVAL. */
static void hint_unmapped(void)
{
    if (errno == EINVAL)
        hint("the box's user namespace has no such id: see its /proc/self/uid_map and gid_map");
}

void account_become(const struct account *account, bool keep_groups)
{
    unsigned user = account->user, group = account->group;
    size_t count = (size_t)account->group_count;

    if (!keep_groups) {
        explain("# setpriv --groups=... or --clear-groups\tsetgroups(%zu)", count);
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
