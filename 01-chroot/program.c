#include "program.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tool.h"

/* Not a directory, although access(2) may allow to "execute" one, which means to enter it. */
static bool is_file(const char *path, int mode)
{
    struct stat status;

    return stat(path, &status) == 0 && !S_ISDIR(status.st_mode) && access(path, mode) == 0;
}

static bool find_along_path(const char *name, int mode, char *path, size_t size)
{
    const char *directories = getenv("PATH");

    if (directories == NULL)
        directories = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
    for (;;) {
        size_t length = strcspn(directories, ":"); /* 0 stands for the working directory */
        snprintf(path, size, "%.*s%s%s", (int)length, directories, length > 0 ? "/" : "", name);
        if (is_file(path, mode))
            return true;
        if (directories[length] == '\0')
            return false;
        directories += length + 1;
    }
}

/*
 * Look NAME up along $PATH, unless it contains a "/". PATH becomes the first such file that can be
 * executed, or else the first one at all. False with errno if there is none.
 */
static bool find_program(const char *name, char *path, size_t size)
{
    if (strchr(name, '/') != NULL) {
        snprintf(path, size, "%s", name);
        return access(path, F_OK) == 0;
    }
    if (find_along_path(name, X_OK, path, size) || find_along_path(name, F_OK, path, size))
        return true;
    errno = ENOENT;
    return false;
}

/* ENOENT has two meanings: the program is missing, or the file that must start it. */
static void explain_failure(const char *path, int error)
{
    if (error == ENOENT)
        hint("%s is there, but the loader or interpreter that starts it is not in this root "
             "directory: check it outside with 'ldd' and 'head -1'",
             path);
    else if (error == ENOEXEC)
        hint("%s is neither a program for this machine nor a script with '#!'", path);
    else if (error == EACCES)
        hint("you may not execute %s, or what starts it: see 'ls -ld' on it and on its "
             "directories",
             path);
}

/*
 * The tool may have been started with signals ignored or blocked: nohup(1) does that, and so does a
 * shell for a script's background jobs. execve(2) keeps them so, and no shell's trap undoes that.
 */
void signals_reset(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

noreturn void exec_command(char **command)
{
    char path[PATH_MAX];

    signals_reset();

    /* On exec, not now: until then errors may go to one of these descriptors. */
    if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) == -1)
        die("close_range");
    /* Not execvp(3), which passes files that the kernel can't execute to a shell. */
    bool found = find_program(command[0], path, sizeof(path));
    if (found)
        execv(path, command);

    int error = errno;
    if (found)
        explain_failure(path, error);
    else if (error == ENOENT && access("/bin/sh", F_OK) == -1)
        hint("there is not even a /bin/sh in this root directory: make one with mkrootfs");
    errno = error;
    (void)report("%s", command[0]);
    exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}
