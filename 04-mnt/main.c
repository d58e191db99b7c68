/*
 * mnt: run a command with mounts, and a root, of its own.
 *
 * Chapter 1 changed the root of a process and left the old one within reach. Here pivot_root(2)
 * exchanges the root of a whole mount namespace, and the old one is unmounted: nothing is left to
 * escape to. (A process outside is a door if /proc shows it: see the lesson.)
 */
#include <sched.h>
#include <stdlib.h>

#include "../01-chroot/tool.h"
#include "../01-chroot/view.h"
#include "../02-uts/spawn.h"
#include "../03-pid/proc.h"
#include "mount.h"

static const char usage[] =
    "Usage: mnt [OPTION]... [--] [COMMAND [ARG]...]\n"
    "Run COMMAND (/bin/sh if none is given) in a mount namespace of its own.\n"
    "\n"
    "  -r, --root=DIR         make DIR the root (default: keep the root)\n"
    "  -b, --bind=SRC:DST[:ro]\n"
    "                         mount SRC at DST; with :ro read-only; repeatable\n"
    "  -t, --tmpfs=DST[:OPTION,...]\n"
    "                         a new, empty tmpfs at DST; repeatable\n"
    "                         OPTION: size=, mode=, uid=, gid=, ro, rw, exec, suid or\n"
    "                         dev (default: rw,noexec,nosuid,nodev,mode=1777)\n"
    "  -d, --dev              a /dev of its own (default: what the root has)\n"
    "  -R, --read-only        make the root read-only (default: as it is)\n"
    "@\n"
    "DST is a path in the root. With --root it is created if it is missing.\n"
    "Device files in DIR and SRC do not work; --dev brings the usual ones.\n"
    "\n"
    "Example: mnt --root rootfs --dev --bind /proc:/proc /bin/sh\n"
    "\n"
    "The same in the shell:\n"
    "  unshare --mount /bin/bash\n"
    "  mount --bind rootfs rootfs; mount --rbind /proc rootfs/proc\n"
    "  cd rootfs\n"
    "  pivot_root . .\n"
    "  umount -l .\n";

static struct {
    const char *root;
    struct bind *mounts; /* in the order of the command line */
    int mount_count;
    bool devices, read_only;
    char **command;
} options;

static void parse_options(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"root", required_argument, NULL, 'r'},  {"bind", required_argument, NULL, 'b'},
        {"tmpfs", required_argument, NULL, 't'}, {"dev", no_argument, NULL, 'd'},
        {"read-only", no_argument, NULL, 'R'},   TOOL_OPTIONS};
    int option;

    options.mounts = calloc((size_t)argc, sizeof(struct bind));
    tool_start(argv, "mnt", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS "r:b:t:dR", long_options, NULL)) != -1) {
        if (option == 'r')
            options.root = optarg;
        else if (option == 'b' || option == 't')
            options.mounts[options.mount_count++] = bind_parse(optarg, option == 't');
        else if (option == 'd')
            options.devices = true;
        else if (option == 'R')
            options.read_only = true;
        else
            tool_option(option);
    }
    options.command = tool_command(argc, argv);
}

static noreturn void run_box(const struct child *child)
{
    mode_t mask = umask(022); /* the caller's may be too strict for the users of the box */
    mounts_make_private();
    struct root root = options.root ? root_prepare(options.root) : root_at("");

    if (options.devices)
        mount_devices(&root);
    for (int i = 0; i < options.mount_count; i++) {
        const struct bind *mount = &options.mounts[i];
        if (mount->source != NULL)
            mount_bind(&root, mount->source, mount->target, mount->flags);
        else
            mount_inside(&root, mount->target, "tmpfs", mount->flags, mount->options);
    }
    if (options.read_only)
        mount_read_only(&root);
    if (options.root != NULL)
        root_pivot(&root);
    umask(mask);
    view_in_place_of_command(); /* with --view */
    spawn_exec(child, options.command);
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);
    struct child child = spawn(CLONE_NEWNS);
    if (child.pid == 0)
        run_box(&child);
    return spawn_wait(&child);
}
