/*
 * mini: chapter 2 as written by a student without a look at this tree: uts, and enter by that name.
 *
 * It has no --explain, no hints, no habits; the checks called core have to pass on it nevertheless.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void join(const char *pid)
{
    static const char *kinds[] = {"uts", "ipc", "net", "pid", "mnt"};
    int namespaces[5];
    char path[64];

    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof(path), "/proc/%s/ns/%s", pid, kinds[i]);
        namespaces[i] = open(path, O_RDONLY | O_CLOEXEC);
    }
    for (int i = 0; i < 5; i++)
        if (setns(namespaces[i], 0) == -1)
            err(1, "setns");
}

int main(int argc, char **argv)
{
    int i = 1, status;

    if (strcmp(strrchr(argv[0], '/') + 1, "enter") == 0) {
        join(argv[i++]);
    } else {
        if (unshare(CLONE_NEWUTS) == -1)
            err(1, "unshare");
        for (; i + 1 < argc && argv[i][0] == '-'; i += 2)
            if (strcmp(argv[i], "--hostname") == 0)
                sethostname(argv[i + 1], strlen(argv[i + 1]));
            else
                setdomainname(argv[i + 1], strlen(argv[i + 1]));
    }
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[i], argv + i);
        err(127, "%s", argv[i]);
    }
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}
