#include "claim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

enum {
    UNMADE = 0600,  /* the mode of a claim, but ... */
    MADE = 0700,    /* ... of a shared one while all that its lines are about is there */
    PAUSE = 5,      /* milliseconds between two tries */
    OWN_TRIES = 20, /* until a claim that somebody is just undoing counts as in use */
    SHARED_TRIES = 6000,
    GLANCE = 8,       /* claims that a start looks at */
    PATIENCE = 10000, /* milliseconds to wait for the end of a box's processes ... */
    PASSING = 100     /* ... and of what a dead one has left, in passing */
};

const char *claim_home(void)
{
    static char home[PATH_MAX];
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (home[0] != '\0')
        return home;
    if (geteuid() == 0)
        snprintf(home, sizeof(home), "/run/ten-steps");
    else if (runtime != NULL && runtime[0] == '/')
        snprintf(home, sizeof(home), "%s/ten-steps", runtime);
    else
        snprintf(home, sizeof(home), "/tmp/ten-steps-%u", geteuid());
    return home;
}

static const char *path_of(const struct claim *claim)
{
    static char path[PATH_MAX + NAME_MAX];

    snprintf(path, sizeof(path), "%s/%s", claim->home, claim->name);
    return path;
}

/*
 * Open the claim, in a home that nobody else may write to or look into. With CREATE it is made if
 * it isn't there; -ENOENT then means that another's last claim has just taken the home along.
 */
static int open_claim(struct claim *claim, int create)
{
    struct stat status;
    bool new_home = create && mkdir(claim->home, 0700) == 0;

    if (create && !new_home && errno != EEXIST)
        return -errno;
    int directory = open(claim->home, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory != -1 && fstat(directory, &status) == 0) {
        errno = EPERM;
        if (status.st_uid == geteuid() && !(status.st_mode & 077))
            claim->file = openat(directory, claim->name,
                                 create | O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC, UNMADE);
    }
    int error = claim->file == -1 ? -errno : 0;
    if (directory != -1)
        close(directory);
    if (error != 0 && new_home)
        (void)rmdir(claim->home);
    return error;
}

/* Lock FILE if that is possible at once, and if it has not been removed meanwhile. */
static bool lock(int file, int how, struct stat *status)
{
    return flock(file, how | LOCK_NB) == 0 && fstat(file, status) == 0 && status->st_nlink > 0;
}

/* Undo the lines of FILE, which is locked by us alone, the last one first. */
static int undo_lines(int file, int patience)
{
    char token[CLAIM_TOKEN] = "", *text, *end;
    struct stat status;
    int error = 0;

    if (fstat(file, &status) == -1 || (text = calloc(1, (size_t)status.st_size + 1)) == NULL)
        return report("read a claim");
    /* From now on nobody may take it for made, even if we are killed. */
    if (pread(file, text, (size_t)status.st_size, 0) == -1 ||
        ((status.st_mode & S_IXUSR) && fchmod(file, UNMADE) == -1))
        error = report("read a claim");
    sscanf(text, "token %16s", token);
    end = error == 0 ? strrchr(text, '\n') : NULL; /* what has no end was never acted upon */
    while (end != NULL) {
        *end = '\0';
        end = strrchr(text, '\n');
        int failed = claim_undo_line(end != NULL ? end + 1 : text, token, patience);
        error = error != 0 ? error : failed;
    }
    free(text);
    return error;
}

/* While it is locked, nobody else can have its name, and its home stays. */
static void remove_claim(const struct claim *claim)
{
    (void)unlink(path_of(claim));
    (void)rmdir(claim->home); /* with the last claim */
}

/* The claim is locked, and perhaps full of what a dead owner has left: empty it for its new one. */
static int begin(struct claim *claim, const struct stat *found)
{
    int error = 0;

    if (found->st_size > 0 && (error = undo_lines(claim->file, PASSING)) == 0 &&
        ftruncate(claim->file, 0) == -1)
        error = report("claim %s", path_of(claim));
    if (error == 0 && (error = claim_note(claim, "token %s", claim->token)) != 0)
        remove_claim(claim);
    if (error != 0)
        claim_close(claim);
    return error == 0 ? 1 : error;
}

/* Returns 1 if the claim is ours alone, and empty; 0 if it is joined; or -errno. */
static int enter(struct claim *claim, const char *home, const char *name, bool shared)
{
    struct stat found;
    uint64_t bits;
    int error = 0;

    *claim = (struct claim){.file = -1, .shared = shared, .home = home};
    if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
        return report("getrandom");
    snprintf(claim->token, sizeof(claim->token), "%016llx", (unsigned long long)bits);
    snprintf(claim->name, sizeof(claim->name), "%s", name != NULL ? name : claim->token);
    for (int tries = shared ? SHARED_TRIES : OWN_TRIES; tries > 0; tries--) {
        if ((error = open_claim(claim, O_CREAT)) != 0 && error != -ENOENT)
            break;
        if (lock(claim->file, LOCK_EX, &found))
            return begin(claim, &found);
        if (shared && lock(claim->file, LOCK_SH, &found) && (found.st_mode & S_IXUSR) &&
            pread(claim->file, claim->token, CLAIM_TOKEN - 1, strlen("token ")) > 0)
            return 0;       /* it is made, and so its token is ours as well */
        claim_close(claim); /* somebody is just making it, or undoing it */
        nanosleep(&(struct timespec){.tv_nsec = PAUSE * 1000000L}, NULL);
    }
    if (error == 0 && !shared && name != NULL)
        return -EBUSY;
    if (error == 0)
        hint("'lslocks' shows the process that has locked it and does not go on");
    errno = error != 0 ? -error : EBUSY;
    return report("claim %s", path_of(claim));
}

int claim_take(struct claim *claim, const char *home, const char *name)
{
    int error = enter(claim, home, name, false);

    return error > 0 ? 0 : error;
}

int claim_share(struct claim *claim, const char *home, const char *name)
{
    return enter(claim, home, name, true);
}

/* flock(2) doesn't promise to turn one lock into another in one step, though Linux does: so look.
 */
int claim_made(struct claim *claim)
{
    struct stat now;

    if (fchmod(claim->file, MADE) == 0 && lock(claim->file, LOCK_SH, &now) &&
        (now.st_mode & S_IXUSR))
        return 0;
    return report("claim %s", path_of(claim));
}

int claim_note(struct claim *claim, const char *format, ...)
{
    char line[PATH_MAX + 256];
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (length < 0 || length >= (int)sizeof(line) || strchr(line, '\n') != NULL)
        return refuse("claim %s: a line of %d bytes", claim->name, length);
    line[length++] = '\n';
    errno = ENOSPC; /* if only a part of it is written */
    return write(claim->file, line, (size_t)length) == length ? 0
                                                              : report("write %s", path_of(claim));
}

int claim_end(struct claim *claim)
{
    struct stat status;
    int error = 0;

    if (claim->file == -1)
        return 0;
    /* If two that leave together raised their locks at once, both could fail. So let go first. */
    if (!claim->shared ||
        (flock(claim->file, LOCK_UN) == 0 && lock(claim->file, LOCK_EX, &status))) {
        error = undo_lines(claim->file, PATIENCE);
        /* It has been reported; but it may have been transient. */
        if (error == 0 || undo_lines(claim->file, PATIENCE) == 0)
            remove_claim(claim);
    }
    claim_close(claim);
    return error;
}

int claim_release(struct claim *claim)
{
    return ftruncate(claim->file, 0) == -1 ? report("claim %s", path_of(claim)) : 0;
}

void claim_close(struct claim *claim)
{
    if (claim->file != -1)
        close(claim->file);
    claim->file = -1;
}

bool claim_lives(const char *home, const char *name)
{
    struct claim claim = {.file = -1, .home = home};
    struct stat status;

    snprintf(claim.name, sizeof(claim.name), "%s", name);
    if (open_claim(&claim, 0) != 0)
        return false;
    errno = 0;
    bool dead = lock(claim.file, LOCK_EX, &status), alive = !dead && errno == EWOULDBLOCK;
    if (dead && undo_lines(claim.file, PASSING) == 0)
        remove_claim(&claim); /* what can't be undone now stays */
    claim_close(&claim);
    return alive;
}

static int is_claim(const struct dirent *entry)
{
    return entry->d_type == DT_REG;
}

/* A tmpfs lists the newest first, so the dead would hide behind the living: begin at random. */
void claim_sweep(const char *home, bool all)
{
    struct dirent **claims = NULL;
    struct timespec now;
    int count = scandir(home, &claims, is_claim, NULL);

    clock_gettime(CLOCK_MONOTONIC, &now);
    for (int i = 0; i < count; i++)
        if (all || i < GLANCE)
            (void)claim_lives(home, claims[(now.tv_nsec + i) % count]->d_name);
    for (int i = 0; i < count; i++)
        free(claims[i]);
    free(claims);
}
