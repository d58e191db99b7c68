#include "claim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "undo.h"

enum {
    CLAIM_SIZE = 16384, /* bytes at most */
    PAUSE = 5,          /* milliseconds between two tries */
    OWN_TRIES = 20,     /* until a claim that somebody is just undoing counts as in use */
    SHARED_TRIES = 6000,
    GLANCE = 8,   /* claims that a start looks at */
    PASSING = 100 /* milliseconds to wait for what a dead box has left, in passing */
};

static const char made[] = "made\n";

const char *claim_home(void)
{
    static char home[PATH_MAX];
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (geteuid() == 0)
        return "/run/ten-steps";
    if (runtime != NULL && runtime[0] == '/')
        snprintf(home, sizeof(home), "%s/ten-steps", runtime);
    else
        snprintf(home, sizeof(home), "/tmp/ten-steps-%u", geteuid());
    return home;
}

static void pause_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = PAUSE * 1000000L}, NULL);
}

/*
 * The directory HOME, which nobody else may write to or look into. MAKE it if it isn't there;
 * ESTALE then means that another's last claim has just taken it along.
 */
static int open_home(const char *home, bool make)
{
    struct stat status;

    if (make && mkdir(home, 0700) == -1 && errno != EEXIST)
        return -1;
    int directory = open(home, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory == -1) {
        errno = make && errno == ENOENT ? ESTALE : errno;
        return -1;
    }
    if (fstat(directory, &status) == -1 || status.st_uid != geteuid() ||
        (status.st_mode & 077) != 0) {
        close(directory);
        errno = EPERM;
        return -1;
    }
    return directory;
}

/* The last claim has gone: so does the directory. */
static void remove_home(const char *home)
{
    (void)rmdir(home);
}

/* As above: ESTALE means to try again. */
static int open_claim(const struct claim *claim)
{
    int directory = open_home(claim->home, true);
    int file = directory == -1 ? -1
                               : openat(directory, claim->name,
                                        O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (directory != -1 && file == -1 && errno == ENOENT)
        errno = ESTALE;
    if (directory != -1)
        close(directory);
    return file;
}

/* Lock FILE if that is possible at once, and if it has not been removed meanwhile. */
static bool lock_file(int file, int how)
{
    struct stat status;

    return flock(file, how | LOCK_NB) == 0 && fstat(file, &status) == 0 && status.st_nlink > 0;
}

/* The whole lines of FILE into TEXT of CLAIM_SIZE bytes. Returns their length or -errno. */
static ssize_t read_lines(int file, char *text)
{
    ssize_t length = -1;

    /* Nothing is undone without it, so a passing error must not count. */
    for (int tries = 0; length == -1 && tries < 2; tries++)
        length = pread(file, text, CLAIM_SIZE - 1, 0);
    if (length == -1)
        return report("read a claim");
    while (length > 0 && text[length - 1] != '\n')
        length--; /* a line without its end was never acted upon */
    text[length] = '\0';
    return length;
}

static bool is_made(const char *text, ssize_t length)
{
    const ssize_t size = (ssize_t)strlen(made);

    return length >= size && strcmp(text + length - size, made) == 0 &&
           (length == size || text[length - size - 1] == '\n');
}

/*
 * Undo the lines of FILE, which is locked, the last one first. Nobody may take it for made from now
 * on, so that word goes before anything else.
 */
static int undo_lines(int file, int patience)
{
    char text[CLAIM_SIZE], token[CLAIM_TOKEN] = "";
    ssize_t length = read_lines(file, text);
    int error = 0;

    if (length < 0)
        return (int)length;
    sscanf(text, "token %16s", token);
    if (is_made(text, length)) {
        length -= (ssize_t)strlen(made);
        if (ftruncate(file, (off_t)length) == -1)
            return report("undo a claim");
    }
    while (length > 0) {
        text[--length] = '\0';
        while (length > 0 && text[length - 1] != '\n')
            length--;
        int failed = undo_line(text + length, token, patience);
        error = error != 0 ? error : failed;
    }
    return error;
}

/* Unlink it, unless somebody else has taken its name by now: not possible while it is locked. */
static void remove_claim(const struct claim *claim)
{
    int directory = open_home(claim->home, false);

    if (directory == -1)
        return;
    unlinkat(directory, claim->name, 0);
    close(directory);
    remove_home(claim->home);
}

/* A claim that could not begin: if nothing is in it, nothing is to be undone. */
static int give_up(struct claim *claim, int file, int error)
{
    struct stat status;

    if (fstat(file, &status) == 0 && status.st_size == 0)
        remove_claim(claim);
    close(file);
    claim->file = -1;
    return error;
}

/* FILE is locked, and perhaps full of what a dead owner has left: empty it for its new owner. */
static int begin(struct claim *claim, int file, const char *token)
{
    int error = undo_lines(file, PASSING);

    if (error != 0 || ftruncate(file, 0) == -1)
        return give_up(claim, file, error != 0 ? error : report("claim %s", claim->name));
    claim->file = file;
    snprintf(claim->token, sizeof(claim->token), "%s", token);
    error = claim_note(claim, "token %s", token);
    if (error == 0)
        return 0;
    (void)!ftruncate(file, 0);
    return give_up(claim, file, error);
}

static int new_token(char *token)
{
    uint64_t bits;

    if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
        return report("getrandom");
    snprintf(token, CLAIM_TOKEN, "%016llx", (unsigned long long)bits);
    return 0;
}

int claim_take(struct claim *claim, const char *home, const char *name)
{
    char token[CLAIM_TOKEN];
    int error = new_token(token);

    *claim = (struct claim){.file = -1, .home = home};
    snprintf(claim->name, sizeof(claim->name), "%s", name != NULL ? name : token);
    for (int tries = 0; error == 0 && tries < OWN_TRIES; tries++) {
        int file = open_claim(claim);
        if (file != -1 && lock_file(file, LOCK_EX))
            return begin(claim, file, token);
        if (file == -1 && errno != ESTALE)
            return report("claim %s/%s", home, claim->name);
        if (file != -1)
            close(file);
        pause_a_little();
    }
    return error != 0 ? error : -EBUSY;
}

/* FILE is locked, shared: if it is made, read the token and join. */
static bool join(struct claim *claim, int file)
{
    char text[CLAIM_SIZE];
    ssize_t length = read_lines(file, text);

    if (length < 0 || !is_made(text, length) || sscanf(text, "token %16s", claim->token) != 1)
        return false;
    claim->file = file;
    claim->joined = true;
    return true;
}

int claim_share(struct claim *claim, const char *home, const char *name)
{
    char token[CLAIM_TOKEN];
    int error = new_token(token);

    *claim = (struct claim){.file = -1, .shared = true, .home = home};
    snprintf(claim->name, sizeof(claim->name), "%s", name);
    for (int tries = 0; error == 0 && tries < SHARED_TRIES; tries++) {
        int file = open_claim(claim);
        if (file == -1 && errno != ESTALE)
            return report("claim %s/%s", home, name);
        if (file != -1 && lock_file(file, LOCK_EX)) {
            error = begin(claim, file, token);
            return error == 0 ? 1 : error;
        }
        if (file != -1 && lock_file(file, LOCK_SH) && join(claim, file))
            return 0;
        if (file != -1)
            close(file);
        pause_a_little(); /* somebody is just making it, or undoing it */
    }
    if (error != 0)
        return error;
    hint("'lslocks' shows the process that has locked it and does not go on");
    return refuse("claim %s/%s: timed out waiting for it", home, name);
}

/*
 * To make a lock a shared one is to let go of it for a moment, in which a newcomer may have found
 * the lock free, and undone everything. So look again, as somebody does who joins.
 */
int claim_made(struct claim *claim)
{
    int error = claim_note(claim, "%s", "made");

    if (error != 0)
        return error;
    if (lock_file(claim->file, LOCK_SH) && join(claim, claim->file))
        return 0;
    close(claim->file);
    claim->file = -1;
    char name[sizeof(claim->name)];
    snprintf(name, sizeof(name), "%s", claim->name);
    return claim_share(claim, claim->home, name);
}

int claim_note(struct claim *claim, const char *format, ...)
{
    char line[PATH_MAX + 256]; /* and room for its end */
    struct stat status;
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(line, sizeof(line) - 8, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= (int)sizeof(line) - 8 || strchr(line, '\n') != NULL)
        return refuse("claim %s: a line of %d bytes", claim->name, length);
    line[length++] = '\n';
    if (claim->joined) /* the word stays the last one */
        length += snprintf(line + length, sizeof(line) - (size_t)length, "%s", made);
    if (fstat(claim->file, &status) == -1)
        return report("claim %s", claim->name);
    if (status.st_size + length >= CLAIM_SIZE)
        return refuse("claim %s: there is too much to undo", claim->name);
    errno = ENOSPC;
    if (write(claim->file, line, (size_t)length) != length)
        return report("write %s/%s", claim->home, claim->name);
    return 0;
}

int claim_end(struct claim *claim)
{
    if (claim->file == -1)
        return 0;
    /* With OFD locks or by raising the lock at once, two that leave together could both stay out.
     */
    if (claim->shared && (flock(claim->file, LOCK_UN) == -1 || !lock_file(claim->file, LOCK_EX))) {
        claim_close(claim);
        return 0;
    }
    int error = undo_lines(claim->file, UNDO_PATIENCE);
    /* It has been reported; but it may have been transient. */
    if (error == 0 || undo_lines(claim->file, UNDO_PATIENCE) == 0)
        remove_claim(claim);
    claim_close(claim);
    return error;
}

int claim_release(struct claim *claim)
{
    return ftruncate(claim->file, 0) == -1 ? report("claim %s", claim->name) : 0;
}

void claim_close(struct claim *claim)
{
    if (claim->file != -1)
        close(claim->file);
    claim->file = -1;
}

/* If the owner of the claim NAME is dead, undo it; what can't be undone now stays. True if alive.
 */
static bool look(const char *home, int directory, const char *name)
{
    struct claim claim = {
        .file = openat(directory, name, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC), .home = home};

    if (claim.file == -1)
        return false;
    snprintf(claim.name, sizeof(claim.name), "%s", name);
    bool alive = flock(claim.file, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK;
    if (!alive && lock_file(claim.file, LOCK_EX) && undo_lines(claim.file, PASSING) == 0)
        remove_claim(&claim);
    claim_close(&claim);
    return alive;
}

bool claim_lives(const char *home, const char *name)
{
    int directory = open_home(home, false);
    bool alive = directory != -1 && look(home, directory, name);

    if (directory != -1)
        close(directory);
    return alive;
}

/* As getdents64(2) has it: libc's readdir(3) would read on until its buffer is full. */
struct entry {
    uint64_t inode;
    int64_t next;
    unsigned short length;
    unsigned char type;
    char name[];
};

/*
 * A tmpfs lists what is newest first, so the first eight would always be the living, and the dead
 * would hide behind them: begin at a random place. The first entry says how far the places go.
 */
static void seek_randomly(int directory)
{
    _Alignas(struct entry) char buffer[512];
    uint64_t random = 0;
    const struct entry *first = (const void *)buffer;

    if (syscall(SYS_getdents64, directory, buffer, sizeof(buffer)) <= 0 || first->next <= 0)
        return;
    (void)!getrandom(&random, sizeof(random), 0);
    (void)lseek(directory, (off_t)(random % ((uint64_t)first->next + 1)), SEEK_SET);
}

/* Look at MOST claims from where DIRECTORY is being read, up to its end. Returns how many more. */
static int look_at_some(const char *home, int directory, int most)
{
    _Alignas(struct entry) char buffer[512];
    ssize_t got;

    while (most > 0 && (got = syscall(SYS_getdents64, directory, buffer, sizeof(buffer))) > 0) {
        for (ssize_t at = 0; at < got && most > 0;) {
            const struct entry *entry = (const void *)(buffer + at);
            if (entry->type == DT_REG) {
                look(home, directory, entry->name);
                most--;
            }
            at += entry->length;
        }
    }
    return most;
}

void claim_sweep(const char *home, bool all)
{
    int directory = open_home(home, false);

    if (directory == -1)
        return;
    if (!all)
        seek_randomly(directory);
    int more = look_at_some(home, directory, all ? INT_MAX : GLANCE);
    if (more > 0 && !all && lseek(directory, 0, SEEK_SET) == 0)
        (void)look_at_some(home, directory, more);
    close(directory);
    remove_home(home);
}
