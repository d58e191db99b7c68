#include "program.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inside.h"
#include "tool.h"
#include "view.h"

static bool script_interpreter(const char *start, char *interpreter, size_t size)
{
    start += strlen("#!");
    start += strspn(start, " \t");
    size_t length = strcspn(start, " \t\n");
    return length > 0 && snprintf(interpreter, size, "%.*s", (int)length, start) > 0;
}

/* ElfW(x) is Elf32_x or Elf64_x, whichever this machine's programs have. */
static bool elf_interpreter(int file, const ElfW(Ehdr) * header, char *interpreter, size_t size)
{
    for (int i = 0; i < header->e_phnum; i++) {
        ElfW(Phdr) segment;
        off_t at = (off_t)(header->e_phoff + (size_t)i * sizeof(segment));
        if (pread(file, &segment, sizeof(segment), at) != sizeof(segment))
            return false;
        if (segment.p_type != PT_INTERP || segment.p_filesz == 0 || segment.p_filesz > size)
            continue;
        ssize_t got = pread(file, interpreter, segment.p_filesz, (off_t)segment.p_offset);
        return got == (ssize_t)segment.p_filesz && interpreter[got - 1] == '\0';
    }
    return false;
}

bool program_interpreter(const char *path, char *interpreter, size_t size)
{
    union {
        ElfW(Ehdr) elf;
        char text[256];
    } start = {.text = ""};
    bool found = false;
    int file = open_file(path);

    if (file == -1)
        return false;
    ssize_t length = pread(file, &start, sizeof(start) - 1, 0);
    if (length > 2 && memcmp(start.text, "#!", 2) == 0)
        found = script_interpreter(start.text, interpreter, size);
    else if (length >= (ssize_t)sizeof(start.elf) && memcmp(start.text, ELFMAG, SELFMAG) == 0)
        found = elf_interpreter(file, &start.elf, interpreter, size);
    close(file);
    return found;
}

/* A directory is no program, though it may be entered ("executed"). */
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

bool program_find(const char *name, char *path, size_t size)
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

/* ENOENT has two meanings: no such program, or a program whose own interpreter is not there. */
static void explain_failure(const char *path, int error)
{
    char interpreter[4096];
    bool asks = program_interpreter(path, interpreter, sizeof(interpreter));

    if (error == ENOEXEC)
        hint("%s is neither a program for this machine nor a script with '#!'", path);
    else if (asks && access(interpreter, F_OK) == -1)
        hint("%s is there, but its interpreter %s is not in this root directory", path,
             interpreter);
    else if (asks && error == EACCES)
        hint("%s is there, but it or its interpreter %s is not executable for you", path,
             interpreter);
    else if (error == EACCES)
        hint("%s is not executable for you: see 'ls -ld' on it and on its directories", path);
}

/*
 * The tool may have been started with signals ignored or blocked: nohup(1) does that, and a shell
 * for what a script runs in the background. execve(2) hands it down, and no shell's trap undoes it.
 */
static void reset_signals(void)
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

    reset_signals();
    view_in_place_of_command();

    /* On exec, not now: until then the descriptor behind standard error is needed for errors. */
    if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) == -1)
        die("close_range");
    /* Not execvp(3), which hands what the kernel can't execute to a shell. */
    bool found = program_find(command[0], path, sizeof(path));
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
