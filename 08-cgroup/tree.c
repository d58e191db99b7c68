#include "tree.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../07-net/undo.h"

const char *tree_top(void)
{
    /* The second where version 1 is in charge. */
    static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    struct statfs found;

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (statfs(places[i], &found) == 0 && found.f_type == CGROUP2_SUPER_MAGIC)
            return places[i];
    return NULL;
}

/* The group of this process, as /proc says it: "0::/user.slice". Relative to the namespace's root.
 */
static void find_own(struct cgroup_tree *tree)
{
    char line[LONGEST_GROUP - 64];
    FILE *file = fopen("/proc/self/cgroup", "re");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "0::/", 4) == 0)
            snprintf(tree->own, sizeof(tree->own), "%s%.*s", tree->top,
                     (int)strcspn(line + 3, "\n"), line + 3);
    if (file != NULL)
        fclose(file);
    /* In a box only a branch may be mounted, which we need not be in. */
    if (strstr(tree->own, "/..") != NULL || access(tree->own, F_OK) == -1)
        snprintf(tree->own, sizeof(tree->own), "%s", tree->top);
}

/* May this user make groups in GROUP and move processes there? */
static bool is_writable(const char *group)
{
    char path[LONGEST_GROUP + 64];

    snprintf(path, sizeof(path), "%s/cgroup.procs", group);
    return access(group, W_OK) == 0 && access(path, W_OK) == 0;
}

/* Is this process in GROUP, and no other? */
static bool is_alone_in(const char *group)
{
    char text[64], own[32];

    snprintf(own, sizeof(own), "%d", getpid());
    return group_read(group, "cgroup.procs", text, sizeof(text)) == 0 && strcmp(text, own) == 0;
}

/*
 * A group that hands controllers down holds no processes. Where this one is all that keeps its own
 * group from it, it makes room: it goes into a group below. No other process is moved.
 */
static int step_aside(struct cgroup_tree *tree)
{
    char leaf[LONGEST_GROUP + 64];
    int error = claim_take(&tree->aside, claim_home(), NULL);

    snprintf(leaf, sizeof(leaf), "%s/%s", tree->own, tree->aside.token);
    if (error == 0)
        error = claim_note(&tree->aside, "group %s", leaf);
    if (error != 0)
        return error;
    if (group_make(leaf) != 0 || group_write(leaf, "cgroup.procs", "0") != 0)
        return report("go into %s", leaf);
    return 0;
}

/* At the top, or if only a branch has been delegated, below the nearest group that the user may
 * write and that holds no processes. */
static int choose_parent(struct cgroup_tree *tree, bool hands_down)
{
    char process[64], *parent = tree->parent;

    snprintf(parent, LONGEST_GROUP, "%s", tree->top);
    if (is_writable(parent))
        return 0;
    snprintf(parent, LONGEST_GROUP, "%s", tree->own);
    for (; strlen(parent) > strlen(tree->top); *strrchr(parent, '/') = '\0')
        if (is_writable(parent) &&
            !(hands_down && group_first_process(parent, process, sizeof(process)) != 0))
            return 0;
    snprintf(parent, LONGEST_GROUP, "%s", tree->own);
    if (is_writable(parent) && is_alone_in(parent))
        return step_aside(tree);
    if (access(tree->top, W_OK) == -1 && errno == EROFS) {
        hint("it is mounted read-only here, as in a box: make the group outside");
    } else {
        hint("run it as root, or in a branch of the tree that is delegated to you and has room for "
             "a group: 'systemd-run --user --scope -p Delegate=yes COMMAND'");
        errno = EACCES;
    }
    return report("no group of %s is yours to write", tree->top);
}

/* WANTED as the user gives it: from the top of the tree, or with the place where that is mounted.
 */
static int find_parent(struct cgroup_tree *tree, const char *wanted)
{
    char procs[LONGEST_GROUP + 64];
    size_t top = strlen(tree->top);

    if (strncmp(wanted, tree->top, top) == 0)
        wanted += top;
    wanted += strspn(wanted, "/");
    int length = snprintf(tree->parent, LONGEST_GROUP, "%s/%s", tree->top, wanted);
    if (strstr(wanted, "..") != NULL || length > LONGEST_GROUP - 300)
        return refuse("parent: '%s' is not the plain path of a group", wanted);
    if (tree->parent[length - 1] == '/')
        tree->parent[length - 1] = '\0';
    snprintf(procs, sizeof(procs), "%s/cgroup.procs", tree->parent);
    if (access(procs, F_OK) == 0)
        return 0;
    if (errno == ENOENT)
        hint("make it first: mkdir %.300s", tree->parent);
    return report("parent %s", tree->parent);
}

int tree_find(struct cgroup_tree *tree, const char *wanted, bool hands_down)
{
    *tree = (struct cgroup_tree){.top = tree_top(), .aside = CLAIM_NONE};
    if (tree->top == NULL) {
        hint("mount it with 'sudo mount -t cgroup2 cgroup2 /sys/fs/cgroup'; where cgroup v1 is "
             "mounted there, boot with 'cgroup_no_v1=all systemd.unified_cgroup_hierarchy=1' on "
             "the kernel's command line, or use the virtual machine: 'tests/vm --shell'");
        errno = ENOENT;
        return report("no cgroup v2 tree is mounted on /sys/fs/cgroup");
    }
    find_own(tree);
    if (wanted != NULL)
        return find_parent(tree, wanted);
    int error = choose_parent(tree, hands_down);
    strncat(tree->parent, "/" GROUP_PARENT, LONGEST_GROUP - strlen(tree->parent) - 1);
    return error;
}

/* Where another run's groups need the controllers it can't go back. Then the leaf stays until this
 * process has ended, and the next run removes it. */
void tree_leave(struct cgroup_tree *tree)
{
    char names[128], order[64], *save;

    if (tree->aside.file == -1)
        return;
    group_read(tree->own, "cgroup.subtree_control", names, sizeof(names));
    for (const char *name = strtok_r(names, " ", &save); name != NULL;
         name = strtok_r(NULL, " ", &save)) {
        snprintf(order, sizeof(order), "-%s", name);
        (void)group_write(tree->own, "cgroup.subtree_control", order);
    }
    if (group_write(tree->own, "cgroup.procs", "0") == 0)
        (void)claim_end(&tree->aside);
    else
        claim_close(&tree->aside);
}
