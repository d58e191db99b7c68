#include "init.h"

#include <stdlib.h>

#include "../01-chroot/tool.h"

/*
 * All that an init has to do the tool does already for its box: spawn_wait() passes signals on and
 * reaps every child. So init is the same once more, one level down and without new namespaces.
 */
noreturn void init_exec(const struct child *box, char **command)
{
    spawn_tie(box); /* init dies with the tool, as the command would */
    struct child child = spawn(0);

    if (child.pid == 0) {
        child.mask = box->mask;
        spawn_exec(&child, command);
    }
    exit(spawn_wait(&child));
}
