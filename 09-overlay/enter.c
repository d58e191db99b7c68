#include "enter.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "../01-chroot/tool.h"
#include "../04-mnt/mount.h"

/* /proc, /sys and /dev of outside, where the stack has a directory. */
static void bring_along(const struct root *root, const char *covered)
{
    static const char *const places[] = {"/proc", "/sys", "/dev"};
    struct stat status;

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (strcmp(places[i], covered) != 0 &&
            fstatat(root->directory, places[i] + 1, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(status.st_mode))
            mount_bind(root, places[i], places[i], 0);
}

void stack_enter(const char *merged, const char *covered)
{
    struct root root = {.path = merged, .no_links = true};

    root.directory = open(merged, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root.directory == -1)
        die("open %s", merged);
    bring_along(&root, covered);
    root_pivot(&root);
}
