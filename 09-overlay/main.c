/*
 * overlay: run a command in a root made of layers.
 *
 * The layers below are only read, so that many boxes can share them. What the command writes goes
 * to the layer on top: by default into a tmpfs that is gone when the command ends.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../01-chroot/view.h"
#include "../02-uts/spawn.h"
#include "../03-pid/proc.h"
#include "descriptor.h"
#include "diff.h"
#include "image.h"
#include "overlay.h"
#include "store.h"

static const char usage[] =
    "Usage: overlay [OPTION]... [--] [COMMAND [ARG]...]\n"
    "Run COMMAND (default: /bin/sh) in a root that is a stack of layers. /proc, /sys\n"
    "and /dev come from outside where it has a place for them; no other devices work.\n"
    "\n"
    "  -l, --lower=DIR        a layer that is only read; repeatable, topmost first\n"
    "  -u, --upper=DIR        the layer to write to (default: a tmpfs, thrown away)\n"
    "  -w, --work=DIR         an empty directory beside it, for the kernel's own use\n"
    "  -i, --image=FILE       the layers of the image in this tar, docker's or OCI's,\n"
    "                         unpacked into the store first if they are not there yet\n"
    "  -d, --diff             list what was added (A), changed (C) and deleted (D)\n"
    "  -m, --mount=DIR        mount the stack on DIR (default: it becomes the root)\n"
    "@\n"
    "\n"
    "Example: overlay --lower rootfs --diff touch /new\n"
    "\n"
    "The same in the shell:\n"
    "  unshare --mount /bin/bash\n"
    "  mount -t overlay -o lowerdir=rootfs,upperdir=up,workdir=work overlay rootfs\n"
    "  chroot rootfs /bin/bash\n";

struct options {
    struct stack stack;
    const char *image; /* NULL: lowers are given */
    const char *mount; /* NULL: the stack becomes the root */
    bool diff;
    char **command;
};

static struct options parse_options(int argc, char **argv)
{
    static const struct option long_options[] = {{"lower", required_argument, NULL, 'l'},
                                                 {"upper", required_argument, NULL, 'u'},
                                                 {"work", required_argument, NULL, 'w'},
                                                 {"diff", no_argument, NULL, 'd'},
                                                 {"mount", required_argument, NULL, 'm'},
                                                 {"image", required_argument, NULL, 'i'},
                                                 TOOL_OPTIONS};
    struct options options = {.mount = NULL};
    int option;

    tool_start(argv, "overlay", usage);
    while ((option = getopt_long(argc, argv, TOOL_FLAGS "l:u:w:dm:i:", long_options, NULL)) != -1) {
        if (option == 'l')
            stack_add(&options.stack, optarg);
        else if (option == 'u')
            options.stack.upper = optarg;
        else if (option == 'w')
            options.stack.work = optarg;
        else if (option == 'i')
            options.image = optarg;
        else if (option == 'd')
            options.diff = true;
        else if (option == 'm')
            options.mount = optarg;
        else
            tool_option(option);
    }
    if (options.image != NULL && options.stack.count > 0)
        fail("--image and --lower: the layers come from one or the other");
    options.command = tool_command(argc, argv);
    return options;
}

static noreturn void run_box(struct options *options, const struct child *child)
{
    struct stack *stack = &options->stack;
    const char *scratch = overlay_scratch(stack, options->mount);

    mounts_make_private();
    const char *merged = overlay_temporary(stack, scratch);
    overlay_mount(stack, options->mount != NULL ? options->mount : merged);
    if (options->diff) { /* both outlive the box, and their paths end with its old root */
        int layers[] = {open(stack->upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                        overlay_below(stack)};
        if (layers[0] == -1)
            die("open %s", stack->upper);
        if (descriptors_send(child->sync, layers, 2) != 0)
            exit(EXIT_TOOL);
    }
    if (options->mount == NULL)
        stack_enter(merged, scratch);
    view_in_place_of_command(); /* with --view */
    spawn_exec(child, options->command);
}

/* The image stays in use, so that nobody removes its layers, until this process ends. */
static void use_image(struct options *options)
{
    static struct image image;
    char id[SHA256_HEX + 1];
    mode_t mask = umask(022); /* the store has one of its own, the command keeps the caller's */

    image_load(options->image, NULL, id, false);
    if (image_open(id, &image) != 0)
        exit(EXIT_TOOL);
    umask(mask);
    image_stack(&image, store_path("layers", "", ""), &options->stack);
}

int main(int argc, char **argv)
{
    struct options options = parse_options(argc, argv);

    if (options.image != NULL)
        use_image(&options);
    overlay_check(&options.stack);
    struct child child = spawn(CLONE_NEWNS);
    if (child.pid == 0)
        run_box(&options, &child);
    int layers[2]; /* the upper one, and what is below it */
    bool differ = options.diff && descriptors_receive(child.sync, layers, 2) == 0;
    int status = spawn_wait(&child);
    if (differ)
        diff_print(layers[0], layers[1]);
    return status;
}
