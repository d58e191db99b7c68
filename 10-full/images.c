#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../02-uts/spawn.h"
#include "../08-cgroup/group.h"
#include "../09-overlay/image.h"
#include "../09-overlay/store.h"
#include "state.h"

int command_load(int argc, char **argv)
{
    static const char usage[] =
        "Usage: full load [OPTION]... [FILE] [NAME]\n"
        "Load the image in FILE, a tar as 'docker save' writes it or of an OCI layout,\n"
        "also one compressed by gzip, zstd, xz or bzip2 (default: standard input).\n\n"
        "  -i, --input=FILE       docker's way to name FILE\n"
        "@\n"
        "NAME is what to call it (default: the names that it brings along).\n\n"
        "Example: full load demo.tar demo\n\n"
        "The same in the shell:\n"
        "  docker save demo -o demo.tar\n"
        "  tar -xf demo.tar; mkdir rootfs; for each layer: tar -xf layer.tar -C rootfs\n";
    const char *file = options_one(argc, argv, usage, "input");
    char id[SHA256_HEX + 1], **operands = options_operands(argc, argv, 0, file != NULL ? 1 : 2);

    if (file == NULL && operands[0] == NULL && isatty(STDIN_FILENO))
        fail("a file is missing, and standard input is a terminal");
    if (file == NULL)
        file = operands[0] != NULL ? *operands++ : "/dev/stdin";
    image_load(file, operands[0], id, true);
    return EXIT_SUCCESS;
}

int command_images(int argc, char **argv)
{
    static const char usage[] = "Usage: full images [OPTION]...\n"
                                "List the images.\n\n"
                                "@\n\n"
                                "Example: full images\n\n"
                                "The same in the shell:\n"
                                "  ls /var/lib/ten-steps/images\n";

    (void)options_one(argc, argv, usage, "");
    options_operands(argc, argv, 0, 0);
    return image_list() == 0 ? EXIT_SUCCESS : EXIT_TOOL;
}

int command_rmi(int argc, char **argv)
{
    static const char usage[] = "Usage: full rmi [OPTION]... IMAGE...\n"
                                "Remove images, and the layers that no other image has.\n\n"
                                "@\n\n"
                                "Example: full rmi demo\n\n"
                                "The same in the shell:\n"
                                "  rm -r /var/lib/ten-steps/layers/DIGEST\n";
    int status = EXIT_SUCCESS;

    (void)options_one(argc, argv, usage, "");
    for (char **operands = options_operands(argc, argv, 1, argc); *operands != NULL; operands++)
        if (image_remove(*operands) != 0)
            status = EXIT_TOOL;
    return status;
}

int command_save(int argc, char **argv)
{
    static const char usage[] =
        "Usage: full save [OPTION]... IMAGE [FILE]\n"
        "Write an image to FILE, a tar that docker, podman and skopeo load (default:\n"
        "standard output).\n\n"
        "  -o, --output=FILE      docker's way to name FILE\n"
        "@\n\n"
        "Example: full save demo demo.tar\n\n"
        "The same in the shell:\n"
        "  docker save demo -o demo.tar\n";
    const char *file = options_one(argc, argv, usage, "output");
    char **operands = options_operands(argc, argv, 1, file != NULL ? 1 : 2);

    if (file == NULL)
        file = operands[1];
    if (file == NULL && isatty(STDOUT_FILENO)) {
        hint("'full save -o FILE %s'", operands[0]);
        fail("a tar is nothing for a terminal");
    }
    image_save(operands[0], file);
    return EXIT_SUCCESS;
}

/*
 * Let the box in GROUP stand still, so that its files can be read as they are at one moment, until
 * it is thawed or this process ends: cgroups(7). A signal that would end it waits as long.
 */
static void freeze(const char *group)
{
    enum { PAUSE = 5, PATIENCE = 10000 }; /* milliseconds */

    spawn_block_signals();
    if (store_note("frozen", group) != 0)
        exit(EXIT_TOOL);
    if (group_write(group, "cgroup.freeze", "1") != 0)
        die("freeze %s", group);
    for (int waited = 0; group_number(group, "cgroup.events", "frozen") == 0; waited += PAUSE) {
        nanosleep(&(struct timespec){.tv_nsec = PAUSE * 1000000L}, NULL);
        if (waited < PATIENCE)
            continue;
        hint("a process may be stuck in the kernel: 'ps -o pid,stat,wchan:30,args' shows where");
        fail("%s: the group does not freeze", group);
    }
}

int command_commit(int argc, char **argv)
{
    static const char usage[] =
        "Usage: full commit [OPTION]... BOX IMAGE\n"
        "Make an image from a box: what it has written becomes one more layer. Meanwhile\n"
        "a box that runs stands still.\n\n"
        "@\n\n"
        "Example: full commit web demo:changed\n\n"
        "The same in the shell:\n"
        "  tar -cf layer.tar -C /var/lib/ten-steps/boxes/web/upper .\n";
    char path[PATH_MAX], id[SHA256_HEX + 1];
    struct spec state;

    (void)options_one(argc, argv, usage, "");
    char **operands = options_operands(argc, argv, 2, 2);
    if (state_open(operands[0], &state) < 0)
        return EXIT_TOOL;
    if (state.layer[0] == '\0') {
        hint("only boxes started from an image with --name or -d, and without --rm, keep a layer");
        fail("box %s: keeps no layer of its own", state.name);
    }
    if (state.running && state.cgroup[0] == '\0') {
        hint("end it first: 'full stop %s'", state.name);
        fail("box %s: runs, and has no control group to be frozen in", state.name);
    }
    snprintf(path, sizeof(path), "%s/upper", state.layer);
    int upper = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (upper == -1)
        die("open %s", path);
    if (flock(upper, LOCK_EX | LOCK_NB) == -1) /* which will let the box go on */
        fail("box %s: another commit is reading its files", state.name);
    if (state.running)
        freeze(state.cgroup);
    image_commit(state.image, path, state.running ? state.cgroup : NULL, operands[1], id);
    printf("%s\n", id);
    return EXIT_SUCCESS;
}
