#include "root.h"

#include <unistd.h>

#include "tool.h"

void root_enter(const char *directory)
{
    /* EXERCISE 1.1: make DIRECTORY the root of this process. chroot(2) */
    explain("chroot %s\tchroot(\"%s\")", directory, directory);
    if (chroot(directory) == -1)
        die("chroot %s", directory);
    /* END */

    /* EXERCISE 1.2: the working directory is still outside: go to the new root. chdir(2) */
    explain("cd /\tchdir(\"/\")");
    if (chdir("/") == -1)
        die("chdir /");
    /* END */
}
