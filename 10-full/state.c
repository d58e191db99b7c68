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
#include "../08-cgroup/group.h"
#include "../09-overlay/store.h"

enum {
    MAX_WAIT = 5000, /* milliseconds */
    PAUSE = 5,
    TRIES = 100,
    FIRST_ID = 0x70000000, /* systemd's list of who uses which ids leaves those up to 0x7fffffff */
    RANGES = 4096
};

/* --- where ------------------------------------------------------------------------------------ */

/* The place of SPEC's directory, and that of its claim: in the STORE, unless that is NULL. */
static void choose_home(struct spec *spec, const char *store)
{
    spec->claims = store != NULL ? store_claims() : claim_home();
    spec->home = store != NULL ? store : spec->claims;
}

const char *state_path(const struct spec *spec, const char *file)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/boxes/%s%s%s", spec->home, spec->name, file[0] ? "/" : "",
             file);
    return path;
}

static const char *claim_name(const struct spec *spec)
{
    static char name[NAME_MAX + 1];

    snprintf(name, sizeof(name), "box-%s", spec->name);
    return name;
}

/* --- the beginning ---------------------------------------------------------------------------- */

/* What others may have put into /tmp/ten-steps-UID is not believed. */
static bool exists(const struct spec *spec)
{
    return (spec->home != spec->claims || claim_trusts(spec->home)) &&
           access(state_path(spec, ""), F_OK) == 0;
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

/* The inode of the one that this process counts in. */
static uint64_t pid_namespace(void)
{
    struct stat status;

    return stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

int state_begin(struct spec *spec, struct claim *claim)
{
    const bool in_store = spec->is_named || spec->detach || spec->layers.on_disk;

    choose_home(spec, in_store ? store_open() : NULL);
    spec->monitor = getpid();
    spec->pid_namespace = pid_namespace();
    int error = claim_take(claim, spec->claims, claim_name(spec), LOCK_EX);
    if (error == -EBUSY || (error == 0 && exists(spec))) {
        hint("'full ps -a' lists the boxes, 'full rm %s' forgets one that has ended", spec->name);
        errno = EEXIST;
        return report("box %s", spec->name);
    }
    if (error == 0)
        error = claim_note(claim, "tree %s", state_path(spec, ""));
    return error == 0 ? make_directory(spec) : error;
}

/* Begins at a random place, the claim's token: so it takes few tries beside many boxes, too. The
 * link's target is the token: a line about one that another box has undoes nothing. */
uint32_t state_take_ids(struct claim *claim)
{
    uint32_t first = (uint32_t)strtoull(claim->token, NULL, 16);
    char path[PATH_MAX];

    for (uint32_t i = 0; i < RANGES; i++) {
        uint32_t range = (first + i) % RANGES;
        snprintf(path, sizeof(path), "%s/ids-%u", claim_home(), range);
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

/* Lock the claim of a box that has ended. 1 if the state is still its own, and not that of another
 * box which has its name by now; -EBUSY without report() if somebody else has the lock. */
static int take_again(const struct spec *spec, struct claim *claim)
{
    struct spec now = *spec;
    int error = claim_take(claim, spec->claims, claim_name(spec), LOCK_EX);

    if (error == 0)
        error = spec_read(&now, state_path(spec, "state"));
    return error != 0 ? error : now.created == spec->created && now.monitor == spec->monitor;
}

int state_read(const char *name, struct spec *spec)
{
    *spec = (struct spec){.name = name, .process = -1, .keeper = -1, .ending = -1};
    network_check_name("box name", name, 63);
    choose_home(spec, NULL);
    bool found = exists(spec);
    if (!found && store_find() != NULL) {
        choose_home(spec, store_find());
        found = exists(spec);
    }
    /* First the claim, then the file: a monitor that ends meanwhile has written it. */
    bool runs = found && claim_lives(spec->claims, claim_name(spec));
    if (!runs && (!found || !exists(spec))) {
        errno = ENOENT; /* or it went when we looked at its claim */
        hint("'full ps -a' lists the boxes");
        return report("box %s", name);
    }
    int error = spec_read(spec, state_path(spec, "state"));
    spec->running = runs;
    if (error != 0 || runs || spec->ended != 0)
        return error;
    spec->ended = time(NULL); /* its monitor was killed, or the machine went down */
    spec->status = EXIT_SIGNAL + SIGKILL;
    spec->pid = 0;
    struct claim claim;
    if (take_again(spec, &claim) == 1)
        (void)state_write(spec);
    (void)claim_end(&claim);
    return 0;
}

/* --- a box that runs -------------------------------------------------------------------------- */

int state_open_child(pid_t pid, pid_t parent)
{
    char process[32];

    snprintf(process, sizeof(process), "/proc/%d", pid);
    int child = (int)syscall(SYS_pidfd_open, pid, 0);
    if (child == -1 || group_number(process, "status", "PPid:") == parent)
        return child;
    close(child);
    return -1;
}

/*
 * Numbers of processes are used again. But as long as the claim is locked the monitor lives, so its
 * number is right; and the only child of that number that it can have is its box's first process.
 */
static bool open_running(struct spec *spec)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", spec->claims, claim_name(spec));
    spec->ending = open(path, O_RDONLY | O_CLOEXEC);
    spec->keeper = (int)syscall(SYS_pidfd_open, spec->monitor, 0);
    spec->process = state_open_child(spec->pid, spec->monitor);
    return spec->ending != -1 && spec->keeper != -1 && claim_lives(spec->claims, claim_name(spec));
}

int state_open(const char *name, struct spec *spec)
{
    const struct timespec pause = {.tv_nsec = PAUSE * 1000000L};
    int error;

    for (int waited = 0; (error = state_read(name, spec)) == 0 && spec->running; waited += PAUSE) {
        if (spec->pid > 0 && spec->pid_namespace != pid_namespace())
            return refuse(
                "box %s: belongs to another pid namespace: from here it can only be listed", name);
        if (spec->pid > 0 && open_running(spec))
            return 0;
        if (waited >= MAX_WAIT) {
            hint("'lslocks' shows the process that makes it, by the name of its claim");
            errno = ETIMEDOUT;
            return report("box %s: still being built, and its command does not start", name);
        }
        nanosleep(&pause, NULL);
    }
    return error;
}

int state_status(const struct spec *spec)
{
    char file[16];

    snprintf(file, sizeof(file), "%d", spec->ending);
    return (int)group_number("/proc/self/fd", file, "status"); /* the claim, which is removed */
}

/* --- all, and the end ------------------------------------------------------------------------- */

static int is_box(const struct dirent *entry)
{
    return entry->d_type == DT_DIR && entry->d_name[0] != '.';
}

char **state_list(void)
{
    const char *homes[] = {claim_home(), store_find()};
    struct dirent **entries;
    char path[PATH_MAX], **names = NULL;

    for (int i = 0; i < 2 && homes[i] != NULL; i++) {
        if (i == 0 && !claim_trusts(homes[i]))
            continue;
        snprintf(path, sizeof(path), "%s/boxes", homes[i]);
        int count = scandir(path, &entries, is_box, alphasort);
        for (int j = 0; j < count; j++)
            list_add(&names, entries[j]->d_name);
    }
    return names;
}

void state_sweep(void)
{
    claim_sweep(claim_home(), true);
    if (store_find() != NULL)
        claim_sweep(store_claims(), true);
}

int state_forget(const struct spec *spec)
{
    struct claim claim;
    int error = take_again(spec, &claim);

    if (error == 1)
        error = claim_note(&claim, "tree %s", state_path(spec, ""));
    int failed = claim_end(&claim);
    return error != 0 && error != -EBUSY ? error : failed;
}
