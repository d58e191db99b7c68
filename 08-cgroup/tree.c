#include "tree.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

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
