#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../01-chroot/cause.h"
#include "../01-chroot/tool.h"

/* Where the tree is mounted and which of its groups is seen there, from a line of mountinfo. */
static bool read_mount(char *line, char *top, size_t size, char *root, size_t root_size)
{
    char *fields[5], *save = NULL;
    struct statfs found;

    if (strstr(line, " - cgroup2 ") == NULL)
        return false;
    for (int i = 0; i < 5; i++) {
        fields[i] = strtok_r(i == 0 ? line : NULL, " ", &save);
        if (fields[i] == NULL)
            return false;
    }
    if (strlen(fields[4]) >= size || strlen(fields[3]) >= root_size)
        return false;
    strcpy(top, fields[4]);
    strcpy(root, fields[3]);
    /* Something else may be mounted on top of it. */
    return statfs(top, &found) == 0 && found.f_type == CGROUP2_SUPER_MAGIC;
}

/* The group of this process, as /proc says it: "0::/user.slice". Relative to the namespace's root.
 */
static void read_own(char *own, size_t size)
{
    char line[LONGEST_GROUP];
    FILE *file = fopen("/proc/self/cgroup", "re");

    own[0] = '\0';
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "0::", 3) == 0)
            snprintf(own, size, "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
    if (file != NULL)
        fclose(file);
}

static int report_no_tree(void)
{
    hint("mount it with 'sudo mount -t cgroup2 cgroup2 /sys/fs/cgroup'; where cgroup v1 is mounted "
         "there, boot with 'cgroup_no_v1=all systemd.unified_cgroup_hierarchy=1' on the kernel's "
         "command line, or use the virtual machine: 'tests/vm --shell'");
    errno = ENOENT;
    return report("no cgroup v2 tree is mounted");
}

int tree_find(struct cgroup_tree *tree)
{
    char line[2048], root[1024] = "", own[LONGEST_GROUP];
    bool found = false;
    FILE *file = fopen("/proc/self/mountinfo", "re");

    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
        found = read_mount(line, tree->top, sizeof(tree->top), root, sizeof(root));
    if (file != NULL)
        fclose(file);
    if (!found)
        return report_no_tree();

    /* In a box without a cgroup namespace of its own only a branch of the tree may be mounted. */
    read_own(own, sizeof(own));
    size_t skip = strcmp(root, "/") == 0 ? 0 : strlen(root);
    const char *below = strncmp(own, root, skip) == 0 ? own + skip : "";
    if (below[0] != '/' || strcmp(below, "/") == 0 || strncmp(below, "/..", 3) == 0)
        below = "";
    snprintf(tree->own, sizeof(tree->own), "%s%.700s", tree->top, below);
    return 0;
}

bool tree_holds(const struct cgroup_tree *tree, const char *group)
{
    size_t length = strlen(tree->top);
    return strncmp(group, tree->top, length) == 0 &&
           (group[length] == '/' || group[length] == '\0');
}

bool group_next(DIR *directory, const char *group, char *path)
{
    struct dirent *entry;

    while (directory != NULL && (entry = readdir(directory)) != NULL)
        if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0 &&
            snprintf(path, LONGEST_GROUP, "%s/%s", group, entry->d_name) < LONGEST_GROUP)
            return true;
    return false;
}

int group_read(const char *group, const char *file, char *text, size_t size)
{
    char path[LONGEST_GROUP + 256];
    size_t length = 0;
    ssize_t got = 0;

    text[0] = '\0';
    snprintf(path, sizeof(path), "%s/%s", group, file);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor == -1)
        return -errno;
    while (length < size - 1 && (got = read(descriptor, text + length, size - 1 - length)) > 0)
        length += (size_t)got;
    int error = got == -1 ? -errno : 0;
    close(descriptor);
    if (length > 0 && text[length - 1] == '\n')
        length--;
    text[length] = '\0';
    return error;
}

int group_write(const char *group, const char *file, const char *value)
{
    char path[LONGEST_GROUP + 256];
    const char *quote = strpbrk(value, " *?[$;&|<>'\"\\") != NULL ? "'" : "";
    int error = 0;

    snprintf(path, sizeof(path), "%s/%s", group, file);
    explain("echo %s%s%s > %s\twrite(\"%s\", \"%s\")", quote, value, quote, path, file, value);
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    if (descriptor == -1)
        return -errno;
    if (write(descriptor, value, strlen(value)) == -1)
        error = -errno;
    close(descriptor);
    return error;
}

long long group_number(const char *group, const char *file, const char *key)
{
    char text[8192];
    size_t length = strlen(key);

    if (group_read(group, file, text, sizeof(text)) != 0)
        return -1;
    for (const char *line = text; *line != '\0';) {
        if (strncmp(line, key, length) == 0 && line[length] == ' ')
            return strtoll(line + length, NULL, 10);
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return -1;
}

int group_first_process(const char *group, char *name, size_t size)
{
    char text[32], path[64];

    group_read(group, "cgroup.procs", text, sizeof(text));
    int pid = atoi(text);
    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    first_line(path, name, size);
    return pid;
}
