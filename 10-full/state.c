#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../09-overlay/store.h"

enum {
    EXIT_KILLED = EXIT_SIGNAL + SIGKILL,
    LONGEST_WAIT = 5000,      /* milliseconds */
    LARGEST_STATE = 16 << 20, /* what execve(2) takes, and more */
    TRIES = 100,
    FIRST_ID = 0x70000000, /* systemd's list of who uses which ids leaves those up to 0x7fffffff */
    RANGES = 4096
};

/* --- where ------------------------------------------------------------------------------------ */

/* The place that SPEC's directory is in, and the one of its claim. False if there is no store. */
static bool choose_home(struct spec *spec, const char *store)
{
    spec->home = store != NULL ? store : claim_home();
    spec->claims = store != NULL ? store_claims() : claim_home();
    return spec->claims != NULL;
}

const char *state_path(const struct spec *spec, const char *file)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/boxes/%s%s%s", spec->home, spec->token, file[0] ? "/" : "",
             file);
    return path;
}

/* The link that makes NAME the box's. */
static const char *name_path(const struct spec *spec)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/boxes/%s", spec->home, spec->name);
    return path;
}

static void claim_name(const struct spec *spec, char name[NAME_MAX + 1])
{
    snprintf(name, NAME_MAX + 1, "box-%s", spec->name);
}

/* Write down what is to be undone: the link first, so that the directory goes before it. */
static int note_lines(const struct spec *spec, struct claim *claim)
{
    int error = claim_note(claim, "symlink %s %s", spec->token, name_path(spec));

    return error != 0 ? error : claim_note(claim, "tree %s", state_path(spec, ""));
}

/* The last box to leave takes "boxes" with it, so that it may have to be made again. */
static int make_directory(const struct spec *spec)
{
    char boxes[PATH_MAX];

    snprintf(boxes, sizeof(boxes), "%s/boxes", spec->home);
    for (int tries = 0; mkdir(state_path(spec, ""), 0700) == -1; tries++)
        if (errno != ENOENT || tries == TRIES || (mkdir(boxes, 0700) == -1 && errno != EEXIST))
            return report("make %s", state_path(spec, ""));
    return 0;
}

static int report_taken(const struct spec *spec)
{
    errno = EEXIST;
    hint("'full ps -a' lists the boxes, 'full rm %s' forgets one that has ended", spec->name);
    return report("box %s", spec->name);
}

int state_begin(struct spec *spec, struct claim *claim)
{
    bool in_store = spec->is_named || spec->detach || spec->layers.on_disk;
    const char *store = in_store ? store_open() : NULL;
    char name[NAME_MAX + 1];

    if ((in_store && store == NULL) || !choose_home(spec, store))
        return -EIO; /* which has been reported */
    claim_name(spec, name);
    int error = claim_take(claim, spec->claims, name);
    if (error == -EBUSY)
        return report_taken(spec);
    snprintf(spec->token, sizeof(spec->token), "%s", claim->token);
    if (error == 0)
        error = note_lines(spec, claim);
    if (error == 0)
        error = make_directory(spec);
    if (error == 0 && symlink(spec->token, name_path(spec)) == -1)
        error = errno == EEXIST ? report_taken(spec) : report("make %s", name_path(spec));
    return error;
}

/* Begins at a random place, the claim's token: so it takes few tries beside many boxes, too. */
uint32_t state_take_ids(struct claim *claim)
{
    uint32_t first = (uint32_t)strtoull(claim->token, NULL, 16);
    char path[PATH_MAX], holder[2];

    for (uint32_t i = 0; i < RANGES; i++) {
        uint32_t range = (first + i) % RANGES;
        snprintf(path, sizeof(path), "%s/ids-%u", claim_home(), range);
        if (readlink(path, holder, sizeof(holder)) != -1)
            continue;
        if (claim_note(claim, "symlink %s %s", claim->token, path) != 0)
            exit(EXIT_TOOL);
        if (symlink(claim->token, path) == 0)
            return (uint32_t)FIRST_ID + range * STATE_IDS;
        if (errno != EEXIST)
            die("make %s", path);
    }
    fail("all %d ranges of ids are in use by boxes", RANGES);
}

/* --- the file --------------------------------------------------------------------------------- */

int state_write(const struct spec *spec)
{
    char fresh[PATH_MAX];

    snprintf(fresh, sizeof(fresh), "%s", state_path(spec, "state.new"));
    FILE *file = fopen(fresh, "we");
    if (file == NULL)
        return report("write %s", fresh);
    spec_write(spec, file);
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed || rename(fresh, state_path(spec, "state")) == -1)
        return report("write %s", state_path(spec, "state"));
    return 0;
}

/* What can't be read is as if nothing had been written yet. */
static void read_file(struct spec *spec)
{
    char *text = malloc(LARGEST_STATE + 1); /* and a zero byte, as json_read() wants it */
    int file = open(state_path(spec, "state"), O_RDONLY | O_CLOEXEC);
    ssize_t got = file != -1 && text != NULL ? read(file, text, LARGEST_STATE) : 0;
    struct spec place = *spec;

    if (text == NULL)
        die("read the state of %s", spec->name);
    text[got > 0 ? got : 0] = '\0';
    spec_parse(spec, text, got > 0 ? (size_t)got : 0);
    spec->name = place.name;
    if (file != -1)
        close(file);
    free(text);
}

/* Was the box made after the machine was started? Before, its numbers of processes mean nothing. */
static bool is_of_this_boot(const struct spec *spec)
{
    struct timespec up;

    return clock_gettime(CLOCK_BOOTTIME, &up) == 0 && spec->created > time(NULL) - up.tv_sec - 1;
}

/*
 * Its monitor was killed, or the machine went down. A command that has changed its credentials has
 * not died with it: prctl(2), PR_SET_PDEATHSIG.
 */
static void see_the_end(struct spec *spec)
{
    int process = is_of_this_boot(spec) ? state_process(spec) : -1;

    if (process != -1) {
        syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0);
        close(process);
    }
    spec->ended = time(NULL);
    spec->status = EXIT_KILLED;
    spec->pid = 0;
    (void)state_write(spec);
}

/* Is there a box called SPEC's name, in the store or not? */
static bool find(struct spec *spec, const char *store)
{
    if (!choose_home(spec, store))
        return false;
    ssize_t length = readlink(name_path(spec), spec->token, sizeof(spec->token) - 1);
    spec->token[length > 0 ? length : 0] = '\0';
    return length > 0;
}

static int report_missing(const char *name)
{
    errno = ENOENT;
    hint("'full ps -a' lists the boxes");
    return report("box %s", name);
}

int state_read(const char *name, struct spec *spec)
{
    char claim[NAME_MAX + 1];

    *spec = (struct spec){.name = strdup(name)};
    if (!spec_name_is_valid(name))
        return refuse("box '%s': a name is made of letters, digits, '_', '.' and '-'", name);
    if (!find(spec, NULL) && (store_find() == NULL || !find(spec, store_find())))
        return report_missing(name);
    /* First the claim, then the file: who ends meanwhile has written its end. */
    claim_name(spec, claim);
    bool runs = claim_lives(spec->claims, claim);
    read_file(spec);
    spec->running = runs;
    if (!runs && access(name_path(spec), F_OK) == -1)
        return report_missing(name); /* it went when we looked at its claim */
    if (!runs && spec->ended == 0)
        see_the_end(spec);
    return 0;
}

int state_await(const char *name, struct spec *spec)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    int error;

    for (int waited = 0; (error = state_read(name, spec)) == 0; waited += 5) {
        if (!spec->running)
            return 0;
        bool elsewhere = spec->monitor > 0 && state_birth(spec->monitor) != spec->monitor_born;
        if (elsewhere && (state_read(name, spec) != 0 || !spec->running))
            continue; /* it has ended between the two looks */
        if (elsewhere)
            return refuse("box %s: is of a pid namespace above this one: it can only be listed "
                          "from here",
                          name);
        if (spec->pid > 0)
            return 0;
        if (waited >= LONGEST_WAIT) {
            hint("'lslocks' shows the process that makes it, by the name of its claim");
            errno = ETIMEDOUT;
            return report("box %s: is being made, and its command does not start", name);
        }
        nanosleep(&pause, NULL);
    }
    return error;
}

/* --- processes -------------------------------------------------------------------------------- */

static int open_process(pid_t pid, uint64_t born)
{
    int process = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

    if (process != -1 && state_birth(pid) == born)
        return process;
    if (process != -1)
        close(process);
    return -1;
}

int state_process(const struct spec *spec)
{
    return open_process(spec->pid, spec->born);
}

int state_monitor(const struct spec *spec)
{
    return spec->running ? open_process(spec->monitor, spec->monitor_born) : -1;
}

uint64_t state_birth(pid_t pid)
{
    char path[32], text[1024];

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file != -1 ? read(file, text, sizeof(text) - 1) : 0;
    text[got > 0 ? got : 0] = '\0';
    if (file != -1)
        close(file);
    /* The name in field 2 may hold blanks and parentheses: count from the last of these. */
    const char *rest = strrchr(text, ')');
    for (int field = 2; rest != NULL && field < 22; field++)
        rest = strchr(rest + 1, ' ');
    return rest != NULL ? strtoull(rest, NULL, 10) : 0;
}

/* --- all, and the end ------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of the boxes in HOME, which are links, behind the COUNT in *NAMES. */
static int add_names(const char *home, char ***names, int count)
{
    char path[PATH_MAX];
    struct dirent *entry;

    snprintf(path, sizeof(path), "%s/boxes", home);
    DIR *directory = opendir(path);
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (entry->d_type != DT_LNK || !spec_name_is_valid(entry->d_name))
            continue;
        *names = realloc(*names, ((size_t)count + 1) * sizeof(char *));
        if (*names == NULL || ((*names)[count] = strdup(entry->d_name)) == NULL)
            die("list the boxes");
        count++;
    }
    if (directory != NULL)
        closedir(directory);
    return count;
}

int state_list(char ***names)
{
    const char *store = store_find();

    *names = NULL;
    int count = add_names(claim_home(), names, 0);
    if (store != NULL)
        count = add_names(store, names, count);
    if (count > 0)
        qsort(*names, (size_t)count, sizeof(char *), by_name);
    return count;
}

void state_sweep(void)
{
    claim_sweep(claim_home(), true);
    if (store_find() != NULL)
        claim_sweep(store_claims(), true);
}

int state_forget(const struct spec *spec)
{
    char name[NAME_MAX + 1];
    struct spec now = *spec;
    struct claim claim;

    claim_name(spec, name);
    int error = claim_take(&claim, spec->claims, name);
    if (error != 0)
        return error == -EBUSY ? 0 : error;
    if (find(&now, spec->home == spec->claims ? NULL : spec->home) &&
        strcmp(now.token, spec->token) == 0)
        error = note_lines(spec, &claim);
    int failed = claim_end(&claim);
    return error != 0 ? error : failed;
}

int state_tell(struct claim *claim, int status)
{
    return claim_note(claim, "status %d", status);
}

int state_follow(const struct spec *spec)
{
    char path[PATH_MAX], name[NAME_MAX + 1];

    claim_name(spec, name);
    snprintf(path, sizeof(path), "%s/%s", spec->claims, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

int state_told(int claim)
{
    char text[32768];
    ssize_t got = pread(claim, text, sizeof(text) - 1, 0);

    text[got > 0 ? got : 0] = '\0';
    const char *last = strstr(text, "status ");
    return last != NULL ? atoi(last + strlen("status ")) : -1;
}
