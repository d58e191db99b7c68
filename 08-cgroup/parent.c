#include "parent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../07-net/undo.h"
#include "controller.h"

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
static int step_aside(struct cgroup *group)
{
    struct cgroup_tree *tree = &group->tree;
    struct claim *claim = &group->leaf_claim;
    int error = claim_take(claim, claim_home(), NULL);

    if (error != 0)
        return error;
    snprintf(group->parent, sizeof(group->parent), "%s", tree->own);
    snprintf(group->leaf, sizeof(group->leaf), "%.*s/%s", LONGEST_GROUP - 256, tree->own,
             claim->token);
    error = claim_note(claim, "group %s", group->leaf);
    if (error != 0)
        return error;
    if ((error = group_make(group->leaf)) != 0 ||
        (error = group_write(group->leaf, "cgroup.procs", "0")) != 0) {
        errno = -error;
        return report("go into %s", group->leaf);
    }
    snprintf(tree->own, sizeof(tree->own), "%s", group->leaf);
    return 0;
}

/*
 * Where to make the group if the user does not say: at the top of the tree, or below the nearest
 * group that the user may write and that holds no processes, if only a branch has been delegated.
 */
static int choose_parent(struct cgroup *group, bool hands_down)
{
    const struct cgroup_tree *tree = &group->tree;
    char process[64], *parent = group->parent;

    snprintf(parent, LONGEST_GROUP, "%s", tree->top);
    if (group_is_writable(parent))
        return 0;
    snprintf(parent, LONGEST_GROUP, "%s", tree->own);
    while (strlen(parent) > strlen(tree->top)) {
        if (group_is_writable(parent) &&
            !(hands_down && group_first_process(parent, process, sizeof(process)) != 0))
            return 0;
        *strrchr(parent, '/') = '\0';
    }
    if (group_is_writable(tree->own) && is_alone_in(tree->own))
        return step_aside(group);
    if (access(tree->top, W_OK) == -1 && errno == EROFS) {
        hint("it is mounted read-only here, as in a box: make the group outside");
    } else {
        hint("run it as root, or in a branch of the tree that is delegated to you and has room for "
             "a group: 'systemd-run --user --scope -p Delegate=yes COMMAND'");
        errno = EACCES;
    }
    return report("no group of %s is yours to write", tree->top);
}

/* PARENT as the user gives it: from the top of the tree, or with the place where that is mounted.
 */
static int find_parent(const struct cgroup_tree *tree, const char *wanted, char *parent)
{
    struct stat status;

    if (tree_holds(tree, wanted))
        wanted += strlen(tree->top);
    wanted += strspn(wanted, "/");
    if (strstr(wanted, "..") != NULL || strstr(wanted, "//") != NULL)
        return refuse("parent: '%s' is not the plain path of a group", wanted);
    if (snprintf(parent, LONGEST_GROUP, "%s%s%s", tree->top, *wanted ? "/" : "", wanted) >=
        LONGEST_GROUP - 300) {
        errno = ENAMETOOLONG;
        return report("parent");
    }
    if (parent[strlen(parent) - 1] == '/')
        parent[strlen(parent) - 1] = '\0';
    if (stat(parent, &status) == -1) {
        if (errno == ENOENT)
            hint("make it first: mkdir %.300s", parent);
        return report("parent %s", parent);
    }
    if (!S_ISDIR(status.st_mode)) {
        errno = ENOTDIR;
        return report("parent %s", parent);
    }
    return 0;
}

/*
 * To move a process, or to have it born in another group, an ordinary user has to be allowed to
 * write cgroup.procs of the group where the old and the new branch part.
 */
static int check_move(const struct cgroup_tree *tree, const char *parent)
{
    char fork[LONGEST_GROUP], path[LONGEST_GROUP + 64];
    size_t same = 0, last = strlen(tree->top);

    for (; parent[same] == tree->own[same] && parent[same] != '\0'; same++)
        if (parent[same + 1] == '/' || parent[same + 1] == '\0')
            last = tree->own[same + 1] == '/' || tree->own[same + 1] == '\0' ? same + 1 : last;
    snprintf(fork, sizeof(fork), "%.*s", (int)last, parent);
    snprintf(path, sizeof(path), "%s/cgroup.procs", fork);
    if (access(path, W_OK) == 0)
        return 0;
    hint("to get there from one's own group one has to be allowed to write %.300s", path);
    return report("go from %s to %s", tree->own, parent);
}

int parent_find(struct cgroup *group, const char *wanted, bool hands_down)
{
    int error;

    if (wanted != NULL)
        error = find_parent(&group->tree, wanted, group->parent);
    else
        error = choose_parent(group, hands_down);
    if (error == 0)
        error = check_move(&group->tree, group->parent);
    if (wanted == NULL)
        strncat(group->parent, "/" GROUP_PARENT, sizeof(group->parent) - strlen(group->parent) - 1);
    return error;
}

/* And back. Where another run's groups need the controllers that can't be; then the leaf stays
 * until this process has ended, and the next run removes it. */
void parent_leave(struct cgroup *group)
{
    char home[LONGEST_GROUP];

    if (group->leaf[0] == '\0')
        return;
    snprintf(home, sizeof(home), "%.*s", (int)(strrchr(group->leaf, '/') - group->leaf),
             group->leaf);
    controllers_disable(home);
    if (group_write(home, "cgroup.procs", "0") == 0)
        (void)claim_end(&group->leaf_claim);
    else
        claim_close(&group->leaf_claim);
    group->leaf[0] = '\0';
}
