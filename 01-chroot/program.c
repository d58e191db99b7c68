#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

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

bool program_find(const char *name, char *path, size_t size)
{
    const char *directories = getenv("PATH");

    if (strchr(name, '/') != NULL) {
        snprintf(path, size, "%s", name);
        return access(path, F_OK) == 0;
    }
    if (directories == NULL)
        directories = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
    while (*directories != '\0') {
        int length = (int)strcspn(directories, ":");
        snprintf(path, size, "%.*s/%s", length, directories, name);
        if (access(path, F_OK) == 0)
            return true;
        directories += length + (directories[length] == ':');
    }
    return false;
}

/* ENOENT has two meanings: no such program, or a program whose own interpreter is not there. */
static void explain_failure(const char *name, int error)
{
    char path[4096], interpreter[4096];

    if (!program_find(name, path, sizeof(path))) {
        if (error == ENOENT && access("/bin/sh", F_OK) == -1)
            hint("there is not even a /bin/sh in this root directory: make one with mkrootfs");
    } else if (!program_interpreter(path, interpreter, sizeof(interpreter))) {
        if (error == EACCES)
            hint("%s is not executable for you: see 'ls -ld' on it and on its directories", path);
        else if (error == ENOEXEC)
            hint("%s is neither a program for this machine nor a script with '#!'", path);
    } else if (access(interpreter, F_OK) == -1) {
        hint("%s is there, but its interpreter %s is not in this root directory", path,
             interpreter);
    } else if (error == EACCES) {
        hint("%s is there, but it or its interpreter %s is not executable for you", path,
             interpreter);
    }
}

noreturn void exec_command(char **command)
{
    view_in_place_of_command();

    /* On exec, not now: until then the descriptor behind standard error is needed for errors. */
    if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) == -1)
        die("close_range");
    execvp(command[0], command);

    int error = errno;
    explain_failure(command[0], error);
    errno = error;
    (void)report("%s", command[0]);
    exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}
