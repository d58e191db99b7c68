#define _GNU_SOURCE
#include "harden.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

void harden_descriptors(void)
{
    if (syscall(SYS_close_range, 3, ~0U, 0) == -1)
        die("close_range");
}

void harden_run_from_copy(char **argv)
{
    const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ssize_t copied = 1;

    if (program == -1)
        die("open /proc/self/exe");
    int sealed = fcntl(program, F_GET_SEALS); /* -1, EINVAL, for an ordinary file */
    if (sealed != -1 && (sealed & seals) == seals) {
        close(program);
        return;
    }
    int copy = memfd_create("full", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    while (copied > 0)
        copied = sendfile(copy, program, NULL, INT_MAX);
    if (copied == -1 || fcntl(copy, F_ADD_SEALS, seals) == -1)
        die("copy /proc/self/exe into memory");
    syscall(SYS_execveat, copy, "", argv, environ, AT_EMPTY_PATH);
    hint("the machine may forbid to execute files in memory: vm.memfd_noexec");
    die("execute the copy of the program");
}

void harden_undumpable(void)
{
    if (prctl(PR_SET_DUMPABLE, 0) == -1)
        die("prctl PR_SET_DUMPABLE");
}

void harden_new_keyring(void)
{
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) != -1 || errno == ENOSYS)
        return; /* a kernel without keyrings has nothing to leave */
    if (errno == EDQUOT)
        hint("each box has a keyring, and a user may have so many: kernel.keys.maxkeys");
    die("keyctl KEYCTL_JOIN_SESSION_KEYRING");
}

void harden_check_directory(void)
{
    char directory[PATH_MAX];

    /* The system call: libc's getcwd(3) may walk up ".." by itself. */
    if (syscall(SYS_getcwd, directory, sizeof(directory)) == -1)
        die("working directory");
    if (directory[0] != '/') /* "(unreachable)/...", getcwd(3) */
        fail("working directory: lies outside the box");
}

void harden_no_new_privileges(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
        die("prctl PR_SET_NO_NEW_PRIVS");
}
