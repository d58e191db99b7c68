#include "background.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

int background_begin(const char *name)
{
    unsigned char status = EXIT_TOOL, nothing;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1)
        die("socketpair");
    pid_t process = fork();
    if (process == -1)
        die("fork");
    if (process == 0) {
        close(ends[0]);
        setsid();
        return ends[1];
    }
    close(ends[1]);
    ssize_t got = read(ends[0], &status, 1);
    if (got == -1)
        die("wait for %s%s", name ? "box " : "the command", name ? name : "");
    if (got != 1 || status != EXIT_SUCCESS)
        (void)!read(ends[0], &nothing, 1); /* until all is undone there */
    else if (name != NULL)
        printf("%s\n", name);
    exit(status);
}

int background_tell(int waiting, int status)
{
    unsigned char byte = (unsigned char)status;

    return send(waiting, &byte, 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

void background_let_go(void)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++)
        dup2(nothing, file);
    close(nothing);
}
