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
 * To open /dev/stdout is to open the pipe once more: then its owner and mode count. It has no name,
 * so only those find it who hold it already, or could look into who does: its mode lets nobody else
 * in. Its owner stays. The caller may open the other end as /dev/stdin, and an owner could read
 * what others write into it. A file is left as it is, and so is a pipe with a name.
 */
static void let_open(int pipe, int standard)
{
    struct statfs system;
    struct stat status;

    if (fstatfs(pipe, &system) == 0 && system.f_type == PIPEFS_MAGIC && fstat(pipe, &status) == 0)
        (void)fchmod(pipe, status.st_mode | (standard == STDIN_FILENO ? 0444 : 0222));
}

/* The monitor's end never blocks: the box may take what poll(2) has promised. */
static void open_pipe(struct streams *streams, int standard, int outside, uint32_t first_id)
{
    bool input = standard == STDIN_FILENO;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) == -1)
        die("pipe");
    int inside = ends[input ? 0 : 1], ours = ends[input ? 1 : 0];
    if (fcntl(ours, F_SETFL, O_NONBLOCK) == -1)
        die("fcntl");
    if (first_id != 0 && fchown(inside, first_id, first_id) == -1)
        die("give a pipe to user %u", first_id);
    let_open(inside, standard);
    streams->box[standard] = inside;
    streams->routes[standard] =
        input ? (struct route){outside, ours} : (struct route){ours, outside};
}

static bool is_same(int one, int other)
{
    struct stat first, second;

    return fstat(one, &first) == 0 && fstat(other, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

static void open_stream(struct streams *streams, int standard, const struct streams_plan *plan)
{
    bool input = standard == STDIN_FILENO, detached = plan->log != -1;
    int outside = !detached ? standard : input ? -1 : plan->log;

    streams->box[standard] = 0;
    streams->routes[standard] = input ? (struct route){outside, -1} : (struct route){-1, outside};
    if (plan->terminal)
        return;
    if (!detached && !isatty(standard)) {
        let_open(standard, standard);
    } else if (input && (detached || !plan->interactive)) {
        streams->box[standard] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (streams->box[standard] == -1)
            die("open /dev/null");
    } else if (standard == STDERR_FILENO && streams->box[STDOUT_FILENO] != 0 &&
               is_same(outside, streams->routes[STDOUT_FILENO].to)) {
        streams->box[standard] = streams->box[STDOUT_FILENO]; /* so lines stay in their order */
    } else {
        open_pipe(streams, standard, outside, plan->first_id);
    }
}

void streams_open(struct streams *streams, const struct streams_plan *plan)
{
    for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; standard++)
        open_stream(streams, standard, plan);
}

void streams_close(const struct streams *streams)
{
    for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; standard++)
        if (streams->box[standard] != 0)
            close(streams->box[standard]); /* two may be one: EBADF */
}

void streams_enter(const struct streams *streams)
{
    int errors = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

    if (errors == -1)
        die("dup");
    tool_errors_to(errors);
    for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; standard++)
        if (streams->box[standard] != 0 && dup2(streams->box[standard], standard) == -1)
            die("dup2");
}
