#include "box.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../07-net/link.h"
#include "background.h"
#include "state.h"
#include "streams.h"

/* What has to be undone when this process, the monitor of the box, ends. */
static struct {
    struct child child; /* 02: pid 0 while there is none */
    struct spec *spec;
    struct claim claim;    /* 07: of the name, with the box's directory */
    struct claim resource; /* of what doesn't outlive a boot; none if CLAIM is such a one itself */
    bool released;
    struct cgroup group; /* 08 */
} box; /* zero, and never written to as a whole: a page that isn't touched isn't there */

/* The claim on what does not outlive a boot. */
static struct claim *resources(void)
{
    return box.resource.file != -1 ? &box.resource : &box.claim;
}

/*
 * Runs at every exit(3), be it after an error: so whatever ends the monitor short of SIGKILL,
 * nothing is left. What SIGKILL leaves a later command finds, by the claims.
 */
static void undo(void)
{
    struct spec *spec = box.spec;
    int error = 0;

    if (spec->monitor != getpid() || box.claim.file == -1)
        return; /* the box inherits this from before the clone */
    spawn_hold_stops(true);
    if (box.child.pid > 0) {
        syscall(SYS_pidfd_send_signal, box.child.pidfd, SIGKILL, NULL, 0);
        waitpid(box.child.pid, NULL, 0);
    }
    if (spec->linked)
        error |= network_release(&spec->net); /* 07 */
    if (spec->status == -1)
        spec->status = EXIT_TOOL;
    if (box.released) {
        spec->pid = 0;
        spec->running = false;
        spec->ended = time(NULL);
        error |= state_write(spec);
    }
    error |= claim_end(&box.resource);
    error |= claim_note(&box.claim, "status %d", spec->status); /* for 'full wait' */
    error |= claim_end(&box.claim);
    if (error != 0)
        _exit(EXIT_TOOL); /* what is left has been reported: the command's status would hide it */
}

/* Claim the name, and a range of users for root; an ordinary user is oneself. */
static int begin(struct spec *spec)
{
    spawn_block_signals(); /* from here on there is something to undo */
    box.spec = spec;
    box.claim.file = box.resource.file = -1;
    spec->status = -1;
    int error = state_begin(spec, &box.claim);
    atexit(undo);
    if (error == 0 && spec->home != spec->claims)
        error = claim_take(&box.resource, claim_home(), NULL, LOCK_EX);
    if (error != 0)
        return error;
    if (spec->mapped)
        spec->first_id = state_take_ids(resources());
    unsigned count = spec->mapped ? STATE_IDS : 1;
    unsigned user = spec->mapped ? spec->first_id : geteuid();
    unsigned group = spec->mapped ? spec->first_id : getegid();
    spec->user_map = (struct id_map){{{0, user, count}}, 1};
    spec->group_map = (struct id_map){{{0, group, count}}, 1};
    if (!spec->layers.on_disk)
        return 0;
    error = layers_make(&spec->layers, state_path(spec, ""));
    spec->layer = spec->layers.box;
    return error;
}

/* Link the box to the bridge, and note its address and ports. */
static int attach_network(struct spec *spec)
{
    int error = network_attach(&spec->net, box.child.pid);

    if (error != 0)
        return error;
    spec->address = strdup(link_address_text(spec->net.lease->address));
    for (int i = 0; i < spec->net.port_count; i++)
        list_add(&spec->ports, spec->net.ports[i].text);
    return 0;
}

/* The host's part, while the box waits: who its users are, its network, its mounts. */
static int serve_box(struct spec *spec)
{
    if (spec->user_namespace)
        idmap_write(&box.child, &spec->user_map, &spec->group_map, spec->mapped); /* 06 */
    int error = spec->linked ? attach_network(spec) : 0;                          /* 07 */
    if (error != 0)
        return error;
    spawn_go(&box.child);                                     /* 02 */
    error = spec->mapped ? layers_send(spec, &box.child) : 0; /* 09 */
    claim_sweep(claim_home(), false); /* now there is time to look what others have left */
    if (spec->home != spec->claims)
        claim_sweep(spec->claims, false);
    return error;
}

/* The command runs, or can't. From here on others may enter the box; and one that is to be kept
 * stays, whatever becomes of the monitor. */
static int note_started(struct spec *spec, int waiting, bool executed)
{
    spec->pid = box.child.pid;
    spec->running = true;
    if (executed && state_write(spec) != 0)
        return -1;
    if (executed && spec->detach && background_tell(waiting) != 0)
        return -1; /* if nobody waits any more, nobody knows the box */
    box.released = spec->keep && (executed || !spec->detach);
    return box.released ? claim_release(&box.claim) : 0;
}

/* The road on the host's side, with the number of the chapter that each step comes from. */
int container_run(struct spec *spec)
{
    umask(022); /* the caller's is neither for the box nor for what is made for it: umask(2) */
    int waiting = spec->detach ? background_begin(spec->name) : -1;
    if (spec_complete(spec) != 0 || begin(spec) != 0) /* 09, 07, 06 */
        return EXIT_TOOL;
    int log = spec->detach ? log_open(state_path(spec, "log")) : -1;
    if (spec->grouped && cgroup_make(&box.group, &spec->plan, resources()) != 0) /* 08 */
        return EXIT_TOOL;
    spec->cgroup = spec->grouped ? box.group.path : "";

    streams_open(spec, log); /* 10 */
    struct clone_args arguments = {.flags = spec->namespaces,
                                   .cgroup = (uint64_t)box.group.directory};
    if (spec->grouped)
        explain("echo $$ > %s/cgroup.procs\t.cgroup = that directory", spec->cgroup);
    struct child child = spawn_with(arguments); /* 02 */
    if (child.pid == 0) {
        claim_close(&box.claim);
        claim_close(&box.resource);
        box_run(spec, &child);
    }
    if (child.pid == -1)
        return EXIT_TOOL;
    box.child = child;
    if (serve_box(spec) != 0)
        return EXIT_TOOL;

    int master = spec->tty ? terminal_receive(&child) : -1; /* 10 */
    int failed = spec->tty && master == -1 ? 1 : spawn_wait_exec(&child);
    if (note_started(spec, waiting, !failed) != 0)
        return EXIT_TOOL;
    streams_relay(master, &child);
    spec->status = spawn_wait(&child); /* 02 */
    box.child.pid = 0;
    return spec->status;
}
