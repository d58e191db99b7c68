#include "commands.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../09-overlay/image.h"
#include "state.h"
#include "still.h"

static const struct option none;

/* The operands, MIN to MAX of them; an OWN option goes into *FILE, and stands for one of them. */
static char **parse(int argc, char **argv, const char *name, const char *usage, int min, int max,
                    struct option own, const char **file)
{
    *file = command_parse(argc, argv, name, usage, own);
    max -= *file != NULL;
    if (argc - optind < min || argc - optind > max) {
        hint("'%s --help' says what it takes", name);
        fail("too %s operands", argc - optind < min ? "few" : "many");
    }
    return argv + optind;
}

int command_load(int argc, char **argv)
{
    static const char usage[] =
        "Usage: full load [OPTION]... [FILE] [NAME]\n"
        "Load the image in FILE, a tar as 'docker save' writes it or of an OCI layout,\n"
        "also one compressed by gzip, zstd, xz or bzip2 (default: standard input).\n"
        "\n"
        "  -i, --input=FILE       docker's way to name FILE\n"
        "@\n"
        "NAME is what to call it (default: the names that it brings along).\n"
        "\n"
        "Example: full load demo.tar demo\n"
        "\n"
        "The same in the shell:\n"
        "  docker save demo -o demo.tar\n"
        "  tar -xf demo.tar; mkdir rootfs; for each layer.tar: tar -xf layer.tar -C rootfs\n";
    const struct option own = {"input", required_argument, NULL, 'i'};
    const char *file;
    char id[SHA256_HEX + 1], **operands = parse(argc, argv, "full load", usage, 0, 2, own, &file);

    if (file == NULL && operands[0] == NULL && isatty(STDIN_FILENO))
        fail("a file is missing, and standard input is a terminal");
    if (file == NULL)
        file = operands[0] != NULL ? *operands++ : "/dev/stdin";
    return image_load(file, operands[0], id, true) == 0 ? EXIT_SUCCESS : EXIT_TOOL;
}

int command_images(int argc, char **argv)
{
    static const char usage[] = "Usage: full images [OPTION]...\n"
                                "List the images.\n"
                                "\n"
                                "@\n"
                                "\n"
                                "Example: full images\n"
                                "\n"
                                "The same in the shell:\n"
                                "  ls /var/lib/ten-steps/images\n";
    const char *nothing;

    parse(argc, argv, "full images", usage, 0, 0, none, &nothing);
    return image_list() == 0 ? EXIT_SUCCESS : EXIT_TOOL;
}

int command_rmi(int argc, char **argv)
{
    static const char usage[] = "Usage: full rmi [OPTION]... IMAGE...\n"
                                "Remove images, and the layers that no other image has.\n"
                                "\n"
                                "@\n"
                                "\n"
                                "Example: full rmi demo\n"
                                "\n"
                                "The same in the shell:\n"
                                "  rm -r /var/lib/ten-steps/layers/DIGEST\n";
    const char *nothing;
    char **operands = parse(argc, argv, "full rmi", usage, 1, argc, none, &nothing);
    int status = EXIT_SUCCESS;

    for (; *operands != NULL; operands++)
        if (image_remove(*operands) != 0)
            status = EXIT_TOOL;
    return status;
}

int command_save(int argc, char **argv)
{
    static const char usage[] =
        "Usage: full save [OPTION]... IMAGE [FILE]\n"
        "Write an image to FILE, a tar that docker, podman and skopeo load (default:\n"
        "standard output).\n"
        "\n"
        "  -o, --output=FILE      docker's way to name FILE\n"
        "@\n"
        "\n"
        "Example: full save demo demo.tar\n"
        "\n"
        "The same in the shell:\n"
        "  docker save demo -o demo.tar\n";
    const struct option own = {"output", required_argument, NULL, 'o'};
    const char *file;
    char **operands = parse(argc, argv, "full save", usage, 1, 2, own, &file);

    if (file == NULL)
        file = operands[1];
    if (file == NULL && isatty(STDOUT_FILENO)) {
        hint("'full save -o FILE %s'", operands[0]);
        fail("a tar is nothing for a terminal");
    }
    return image_save(operands[0], file) == 0 ? EXIT_SUCCESS : EXIT_TOOL;
}

int command_commit(int argc, char **argv)
{
    static const char usage[] =
        "Usage: full commit [OPTION]... BOX IMAGE\n"
        "Make an image out of a box: what it has written becomes one more layer. Meanwhile\n"
        "a box that runs stands still.\n"
        "\n"
        "@\n"
        "\n"
        "Example: full commit web demo:changed\n"
        "\n"
        "The same in the shell:\n"
        "  tar -cf layer.tar -C /var/lib/ten-steps/boxes/web/upper .\n";
    const char *nothing;
    char **operands = parse(argc, argv, "full commit", usage, 2, 2, none, &nothing);
    char path[1040], id[SHA256_HEX + 1];
    struct spec state;

    if (state_open(operands[0], &state) < 0)
        return EXIT_TOOL;
    if (state.layer[0] == '\0') {
        hint("only boxes started from an image with --name or -d, and without --rm, keep a layer");
        fail("box %s: keeps no layer of its own", state.name);
    }
    snprintf(path, sizeof(path), "%s/upper", state.layer);
    int upper = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Another commit would let the box go on meanwhile. */
    if (upper == -1 || flock(upper, LOCK_EX) == -1)
        die("open %s", path);
    int still = still_begin(&state), error = still < 0 ? still : 0;
    if (error == 0) {
        error = image_commit(state.image, upper, still, operands[1], list_join(state.command), id);
        error |= still_end(still);
    }
    if (error == 0)
        printf("%s\n", id);
    return error == 0 ? EXIT_SUCCESS : EXIT_TOOL;
}
