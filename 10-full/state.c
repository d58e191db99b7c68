#include "state.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../02-uts/spawn.h"
#include "../07-net/lock.h"
#include "../07-net/network.h"
#include "../07-net/remove.h"
#include "../09-overlay/store.h"

enum {
    EXIT_KILLED = EXIT_SIGNAL + SIGKILL,
    LONGEST_WAIT = 5000, /* milliseconds */
    LONGEST_LOCK = 30000
};

const char *state_home(void)
{
    static char home[512];
    const char *base = getenv("XDG_RUNTIME_DIR");

    if (home[0] != '\0')
        return home;
    if (geteuid() == 0)
        snprintf(home, sizeof(home), "/run/ten-steps");
    else if (base != NULL && base[0] == '/')
        snprintf(home, sizeof(home), "%s/ten-steps", base);
    else
        snprintf(home, sizeof(home), "/tmp/ten-steps-%u", geteuid());
    return home;
}

void state_path(const char *name, const char *file, char *path, size_t size)
{
    snprintf(path, size, "%s/boxes/%s%s%s", state_home(), name, file[0] ? "/" : "", file);
}

bool state_name_is_valid(const char *name)
{
    if (!isalnum((unsigned char)name[0]) || strlen(name) >= NAME_SIZE)
        return false;
    for (const char *c = name; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("_.-", *c) == NULL)
            return false;
    return true;
}

/* Without any box, nothing stays. */
static void remove_home(void)
{
    char path[1024];

    state_path("", "", path, sizeof(path));
    if (rmdir(path) == -1 && errno != ENOENT)
        return;
    snprintf(path, sizeof(path), "%s/ids", state_home());
    unlink(path);
    snprintf(path, sizeof(path), "%s/lock", state_home());
    unlink(path);
    rmdir(state_home());
}

static noreturn void give_up(const char *what, const char *path)
{
    int error = errno;

    remove_home();
    errno = error;
    die("%s %s", what, path);
}

/* Make the directories, and see that they are nobody else's: /tmp is open to all. */
static void make_home(void)
{
    struct stat status;
    char boxes[1024];

    if (mkdir(state_home(), 0700) == -1 && errno != EEXIST)
        give_up("make", state_home());
    if (lstat(state_home(), &status) == -1) {
        if (errno == ENOENT) /* another's last box has just taken it away: lock_all() tries again */
            return;
        give_up("look at", state_home());
    }
    if (status.st_uid != geteuid() || !S_ISDIR(status.st_mode))
        fail("%s: is not a directory of yours", state_home());
    state_path("", "", boxes, sizeof(boxes));
    if (mkdir(boxes, 0700) == -1 && errno != EEXIST && errno != ENOENT)
        give_up("make", boxes);
}

/*
 * One at a time may begin or forget a box, and isn't stopped meanwhile. The last one takes the file
 * away, so look twice.
 */
static int lock_all(void)
{
    struct stat mine, current;
    char path[1024];

    spawn_hold_stops(true);
    snprintf(path, sizeof(path), "%s/lock", state_home());
    for (;;) {
        make_home();
        int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (file == -1 && errno == ENOENT)
            continue;
        if (file == -1)
            give_up("open", path);
        if (lock_wait(file, LONGEST_LOCK) == -1) {
            hint("another command holds it and doesn't come to an end: see 'lslocks'");
            die("lock %s", path);
        }
        if (fstat(file, &mine) == -1)
            give_up("look at", path);
        if (stat(path, &current) == 0 && current.st_ino == mine.st_ino) {
            make_home();
            return file;
        }
        close(file);
    }
}

/* Let the next one in. */
static void unlock_all(int file)
{
    remove_home();
    close(file);
    spawn_hold_stops(false);
}

static void clear_dead(void);

int state_begin(const char *name)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[1024];
    int all = lock_all(), result;

    clear_dead();
    state_path(name, "", path, sizeof(path));
    if (mkdir(path, 0700) == -1) {
        if (errno == EEXIST)
            hint("'full ps -a' lists the boxes, 'full rm %s' forgets one that has ended", name);
        result = report("box %s", name);
    } else {
        state_path(name, "lock", path, sizeof(path));
        result = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        /* Of this process and not of the open file: a box that inherits it must not hold it. */
        if (result == -1 || fcntl(result, F_SETLK, &whole) == -1) {
            result = report("lock %s", path);
            unlink(path);
            state_path(name, "", path, sizeof(path));
            rmdir(path);
        }
    }
    unlock_all(all);
    return result;
}

int state_tell(int lock, int status)
{
    return dprintf(lock, "%d\n", status) < 0 ? report("write the lock") : 0;
}

pid_t state_monitor(const char *name)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[1024];

    state_path(name, "lock", path, sizeof(path));
    int file = open(path, O_RDWR | O_CLOEXEC);
    bool held = file != -1 && fcntl(file, F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    if (file != -1)
        close(file);
    if (!held)
        return 0;
    return whole.l_pid != 0 ? whole.l_pid : -1; /* which is F_GETLK's 0 for one without a number */
}

int state_write(const struct state *state)
{
    char path[1024], fresh[1024];

    state_path(state->name, "state", path, sizeof(path));
    state_path(state->name, "state.new", fresh, sizeof(fresh));
    FILE *file = fopen(fresh, "we");
    if (file == NULL)
        return report("write %s", fresh);
    fprintf(file, "hostname %s\nsource %s\n", state->hostname, state->source);
    fprintf(file, "command %s\n", state->command);
    fprintf(file, "user %s\ngroups %s\nworkdir %s\n", state->user, state->groups, state->workdir);
    fprintf(file, "address %s\nports %s\n", state->address, state->ports);
    fprintf(file, "cgroup %s\nlayer %s\nimage %s\n", state->cgroup, state->layer, state->image);
    fprintf(file, "pid %d\nborn %" PRIu64 "\n", state->pid, state->born);
    fprintf(file, "capabilities %" PRIu64 "\nseccomp %d\n", state->capabilities, state->seccomp);
    fprintf(file, "user_namespace %d\nfirst_id %" PRIu32 "\n", state->user_namespace,
            state->first_id);
    fprintf(file, "stop_signal %d\nstop_timeout %d\n", state->stop_signal, state->stop_timeout);
    fprintf(file, "created %jd\nended %jd\n", (intmax_t)state->created, (intmax_t)state->ended);
    fprintf(file, "status %d\nkeep %d\n", state->status, state->keep);
    if (fclose(file) != 0 || rename(fresh, path) == -1)
        return report("write %s", path);
    return 0;
}

/* The value of "KEY VALUE" goes where it belongs. Unknown keys are passed over. */
static void take_line(struct state *state, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    char *value = line + strcspn(line, " ");
    if (*value != '\0')
        *value++ = '\0';

    const struct {
        const char *key;
        char *text;
        size_t size;
    } texts[] = {
        {"hostname", state->hostname, sizeof(state->hostname)},
        {"source", state->source, sizeof(state->source)},
        {"command", state->command, sizeof(state->command)},
        {"user", state->user, sizeof(state->user)},
        {"groups", state->groups, sizeof(state->groups)},
        {"workdir", state->workdir, sizeof(state->workdir)},
        {"address", state->address, sizeof(state->address)},
        {"ports", state->ports, sizeof(state->ports)},
        {"cgroup", state->cgroup, sizeof(state->cgroup)},
        {"layer", state->layer, sizeof(state->layer)},
        {"image", state->image, sizeof(state->image)},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (strcmp(line, texts[i].key) == 0)
            snprintf(texts[i].text, texts[i].size, "%s", value);

    long long number = strtoll(value, NULL, 10);
    if (strcmp(line, "pid") == 0)
        state->pid = (pid_t)number;
    else if (strcmp(line, "born") == 0)
        state->born = (uint64_t)number;
    else if (strcmp(line, "capabilities") == 0)
        state->capabilities = (uint64_t)number;
    else if (strcmp(line, "seccomp") == 0)
        state->seccomp = number != 0;
    else if (strcmp(line, "user_namespace") == 0)
        state->user_namespace = number != 0;
    else if (strcmp(line, "first_id") == 0)
        state->first_id = (uint32_t)number;
    else if (strcmp(line, "stop_signal") == 0)
        state->stop_signal = (int)number;
    else if (strcmp(line, "stop_timeout") == 0)
        state->stop_timeout = (int)number;
    else if (strcmp(line, "created") == 0)
        state->created = (time_t)number;
    else if (strcmp(line, "ended") == 0)
        state->ended = (time_t)number;
    else if (strcmp(line, "status") == 0)
        state->status = (int)number;
    else if (strcmp(line, "keep") == 0)
        state->keep = number != 0;
}

int state_read(const char *name, struct state *state)
{
    char path[1024], *line = NULL;
    size_t size = 0;

    *state = (struct state){.pid = 0};
    if (!state_name_is_valid(name))
        return refuse("box '%s': a name is made of letters, digits, '_', '.' and '-'", name);
    snprintf(state->name, sizeof(state->name), "%s", name);
    state_path(name, "state", path, sizeof(path));
    state->alive =
        state_monitor(name) != 0; /* before the file: who dies meanwhile has written its end */
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        if (errno == ENOENT && state->alive)
            return 0; /* it is just being made */
        hint("'full ps -a' lists the boxes");
        return report("box %s", name);
    }
    while (getline(&line, &size, file) != -1)
        take_line(state, line);
    free(line);
    fclose(file);
    return 0;
}

int state_await(const char *name, struct state *state)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    int error;

    for (int waited = 0; (error = state_read(name, state)) == 0; waited += 5) {
        pid_t monitor = state->alive ? state_monitor(name) : 0;
        if (monitor == -1)
            return refuse(
                "box %s: is of a pid namespace above this one: it can only be listed from "
                "here",
                name);
        if (!state->alive || state->pid != 0)
            return 0;
        if (waited >= LONGEST_WAIT) {
            if (monitor > 0)
                hint("'kill -KILL %d' ends what makes it, and the next command clears up", monitor);
            errno = ETIMEDOUT;
            return report("box %s: is being made, and its command does not start", name);
        }
        nanosleep(&pause, NULL);
    }
    return error;
}

int state_process(const struct state *state)
{
    int process = state->pid != 0 ? (int)syscall(SYS_pidfd_open, state->pid, 0) : -1;

    if (process != -1 && state_birth(state->pid) == state->born)
        return process;
    if (process != -1)
        close(process);
    return -1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int state_list(char ***names)
{
    char path[1024];
    struct dirent *entry;
    int count = 0;

    state_path("", "", path, sizeof(path));
    DIR *directory = opendir(path);
    *names = NULL;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (!state_name_is_valid(entry->d_name))
            continue;
        *names = realloc(*names, ((size_t)count + 1) * sizeof(char *));
        if (*names == NULL || ((*names)[count] = strdup(entry->d_name)) == NULL)
            die("list the boxes");
        count++;
    }
    if (directory != NULL)
        closedir(directory);
    if (count > 0)
        qsort(*names, (size_t)count, sizeof(char *), by_name);
    return count;
}

/* The caller holds the lock on all. */
static int forget(const struct state *state)
{
    char path[1024];

    state_path(state->name, "", path, sizeof(path));
    int error = state->layer[0] != '\0' ? remove_tree(state->layer) : 0;
    return error != 0 ? error : remove_tree(path);
}

int state_forget(const struct state *state)
{
    int all = lock_all(), result = forget(state);

    unlock_all(all);
    return result;
}

int state_forget_ended(const struct state *state)
{
    int all = lock_all();
    int result = state_monitor(state->name) == 0 ? forget(state) : 0;

    unlock_all(all);
    return result;
}

/*
 * What is left of a box whose monitor was killed, and the monitor would have removed. A command
 * that has changed its credentials has not died with it: prctl(2), PR_SET_PDEATHSIG.
 */
static void clear_host(const struct state *state)
{
    struct pollfd process = {.fd = state_process(state), .events = POLLIN};

    if (process.fd != -1) {
        syscall(SYS_pidfd_send_signal, process.fd, SIGKILL, NULL, 0);
        poll(&process, 1, LONGEST_WAIT);
        close(process.fd);
    }
    claim_sweep(claim_home(), true);
}

static void clear_dead(void)
{
    char **names;
    int count = state_list(&names);
    struct state state;
    char path[1024];

    for (int i = 0; i < count; i++) {
        state_path(names[i], "state", path, sizeof(path));
        if (state_monitor(names[i]) != 0 ||
            (access(path, F_OK) == 0 && state_read(names[i], &state) < 0)) {
            free(names[i]);
            continue;
        }
        if (access(path, F_OK) == -1) /* killed before it had written anything */
            state = (struct state){.keep = false};
        snprintf(state.name, sizeof(state.name), "%s", names[i]);
        if (state.ended == 0)
            clear_host(&state);
        if (!state.keep) {
            (void)forget(&state);
        } else if (state.ended == 0) {
            state.ended = time(NULL);
            state.status = EXIT_KILLED;
            (void)state_write(&state);
        }
        free(names[i]);
    }
    free(names);
}

void state_clear_dead(void)
{
    int all = lock_all();

    clear_dead();
    unlock_all(all);
}

uint64_t state_birth(pid_t pid)
{
    char path[32], text[1024];
    unsigned long long born = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    /* The name in field 2 may hold blanks and parentheses: count from the last of these. */
    const char *rest = fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
    for (int field = 2; rest != NULL && field < 22; field++)
        rest = strchr(rest + 1, ' ');
    if (rest != NULL)
        born = strtoull(rest, NULL, 10);
    fclose(file);
    return born;
}
