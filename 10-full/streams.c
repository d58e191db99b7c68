#define _GNU_SOURCE
#include "streams.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

void streams_check_shell(bool has_input)
{
    if (has_input || !isatty(STDIN_FILENO))
        return;
    hint("with -it you can type to it");
    fail("no command is given, and a shell would have no input");
}

/*
 * Does the box get the tool's own stream? Yes, unless it is a terminal. To open /dev/stdout is to
 * open a pipe once more, and then its owner and mode count. A pipe without a name is found only by
 * those that hold it already, or may look into a process that does: so its mode lets everybody in,
 * in the one direction. Its owner stays, because an owner could read what others write.
 */
static bool pass_on(int standard)
{
    struct statfs system;
    struct stat status;

    if (fstat(standard, &status) == -1)
        die("look at standard stream %d", standard);
    if (S_ISFIFO(status.st_mode) && fstatfs(standard, &system) == 0 &&
        system.f_type == PIPEFS_MAGIC)
        (void)fchmod(standard, status.st_mode | (standard == STDIN_FILENO ? 0444 : 0222));
    return !S_ISCHR(status.st_mode) || !isatty(standard);
}

/* Returns the box's end. OURS never blocks: the box may take what poll(2) has promised. */
static int open_pipe(bool input, uint32_t first_id, int *ours)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) == -1 || fcntl(ends[input], F_SETFL, O_NONBLOCK) == -1)
        die("pipe");
    if (first_id != 0 && fchown(ends[!input], first_id, first_id) == -1)
        die("give a pipe to user %u", first_id);
    (void)fchmod(ends[!input], input ? 0644 : 0622);
    *ours = ends[input];
    return ends[!input];
}

void streams_open(struct streams *streams, bool terminal, bool interactive, int log,
                  uint32_t first_id)
{
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++) {
        bool input = i == STDIN_FILENO, detached = log != -1;
        int box, ours = -1, outside = !detached ? i : input ? -1 : log;
        if (terminal || (!detached && pass_on(i)))
            box = 0;
        else if (input && (detached || !interactive))
            box = open("/dev/null", O_RDONLY | O_CLOEXEC);
        else if (i == STDERR_FILENO && streams->box[STDOUT_FILENO] != 0)
            box = streams->box[STDOUT_FILENO]; /* the same pipe, so lines stay in their order */
        else
            box = open_pipe(input, first_id, &ours);
        if (box == -1)
            die("open /dev/null");
        streams->box[i] = box;
        streams->routes[i] = input ? (struct route){outside, ours} : (struct route){ours, outside};
    }
}

void streams_enter(const struct streams *streams)
{
    int errors = fcntl(tool_errors(), F_DUPFD_CLOEXEC, 0);

    if (errors == -1)
        die("dup");
    tool_errors_to(errors);
    for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; standard++)
        if (streams->box[standard] != 0 && dup2(streams->box[standard], standard) == -1)
            die("dup2");
}
