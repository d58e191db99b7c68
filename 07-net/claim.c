#include "claim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "link.h"
#include "nat.h"

enum {
    UNMADE = 0600,       /* the mode of a claim ... */
    MADE = 0700,         /* ... and of a shared one when its maker has made all of it */
    PAUSE = 5,           /* milliseconds between two tries */
    OWN_TRIES = 20,      /* until a claim that is just being undone counts as in use */
    SHARED_TRIES = 6000, /* until one that is just being made does */
    GLANCE = 8,          /* claims that a start looks at */
    MAX_PASSES = 100000, /* at a tree, a level each: one that is being filled has no end */
    PATIENCE = 10000,    /* milliseconds to wait for the end of our box's processes ... */
    PASSING = 100        /* ... and of a dead one's */
};

static char own[4 * NAME_MAX]; /* the claims begun here, as "/NAME//NAME/": not to be swept */

static int undo_line(char *line, const char *token, int patience);

const char *claim_home(void)
{
    static char home[PATH_MAX];
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (home[0] != '\0')
        return home;
    if (geteuid() == 0)
        strcpy(home, "/run/ten-steps");
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

bool claim_trusts(const char *home)
{
    struct stat status;

    if (lstat(home, &status) == -1)
        return false;
    errno = EPERM;
    return S_ISDIR(status.st_mode) && status.st_uid == geteuid() && !(status.st_mode & 077);
}

/* Open the claim, in a home that is ours alone. With CREATE, -ENOENT means that another tool has
 * just removed the home with its last claim. */
static int open_claim(struct claim *claim, int create)
{
    bool new_home = create && mkdir(claim->home, 0700) == 0;

    if (create && !new_home && errno != EEXIST)
        return -errno;
    if (claim_trusts(claim->home))
        claim->file =
            open(path_of(claim), create | O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC, UNMADE);
    int error = claim->file == -1 ? -errno : 0;
    if (error != 0 && new_home)
        (void)rmdir(claim->home);
    return error;
}

/* Lock FILE if that is possible at once, and if it hasn't been removed meanwhile. */
static bool lock(int file, int how, struct stat *status)
{
    return flock(file, how | LOCK_NB) == 0 && fstat(file, status) == 0 && status->st_nlink > 0;
}

/* The claim is locked by us alone: undo its lines, last first, and remove it. What can't be undone
 * now stays, with all lines. */
static int undo(const struct claim *claim, int patience)
{
    char token[CLAIM_TOKEN] = "", *text, *end;
    struct stat status;
    int error = 0;

    if (fstat(claim->file, &status) == -1 ||
        (text = calloc(1, (size_t)status.st_size + 1)) == NULL ||
        pread(claim->file, text, (size_t)status.st_size, 0) == -1 ||
        /* From now on nobody may take it for made, even if we are killed. */
        ((status.st_mode & S_IXUSR) && fchmod(claim->file, UNMADE) == -1))
        return report("read a claim");
    sscanf(text, " token %16s", token);
    end = strrchr(text, '\n'); /* what has no end was never acted upon, even */
    while (end != NULL) {
        *end = '\0';
        end = strrchr(text, '\n');
        /* if others who share the claim have written their next line behind it */
        char *line = end != NULL ? end + 1 : text, *next = strrchr(line, '\t');
        int failed = undo_line(next != NULL ? next + 1 : line, token, patience);
        error = error != 0 ? error : failed;
    }
    free(text);
    if (error == 0 && unlink(path_of(claim)) == 0)
        (void)rmdir(claim->home); /* with the last claim */
    return error;
}

/* The claim is new, and locked. */
static int begin(struct claim *claim)
{
    int error = claim_note(claim, "token %s", claim->token);

    claim->unmade = claim->shared;
    snprintf(own + strlen(own), sizeof(own) - strlen(own), "/%s/", claim->name);
    if (error != 0)
        (void)claim_end(claim);
    return error;
}

int claim_take(struct claim *claim, const char *home, const char *name, int how)
{
    struct stat found;
    uint64_t bits;
    int error = 0;

    *claim = (struct claim){.file = -1, .shared = how == LOCK_SH, .home = home};
    if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
        return report("getrandom");
    snprintf(claim->token, sizeof(claim->token), "%016llx", (unsigned long long)bits);
    snprintf(claim->name, sizeof(claim->name), "%s", name != NULL ? name : claim->token);
    for (int tries = claim->shared ? SHARED_TRIES : OWN_TRIES; tries > 0; tries--) {
        if ((error = open_claim(claim, O_CREAT)) != 0 && error != -ENOENT)
            break;
        if (lock(claim->file, LOCK_EX, &found)) {
            if (found.st_size == 0)
                return begin(claim);
            if ((error = undo(claim, PASSING)) != 0) {
                claim_close(claim);
                return error;
            }
        } else if (claim->shared && lock(claim->file, LOCK_SH, &found) &&
                   (found.st_mode & S_IXUSR) &&
                   pread(claim->file, claim->token, CLAIM_TOKEN - 1, strlen("\ttoken ")) > 0)
            return 0;       /* it is made, and so its token is ours as well */
        claim_close(claim); /* another tool is just making it, or undoing it */
        nanosleep(&(struct timespec){.tv_nsec = PAUSE * 1000000L}, NULL);
    }
    if (error == 0 && !claim->shared && name != NULL)
        return -EBUSY;
    errno = error != 0 ? -error : EBUSY;
    return report("claim %s", path_of(claim));
}

/* flock(2) doesn't promise to turn one lock into another in one step. */
int claim_made(struct claim *claim)
{
    struct stat now;

    if (!claim->unmade)
        return 0;
    claim->unmade = false;
    if (fchmod(claim->file, MADE) == 0 && lock(claim->file, LOCK_SH, &now) &&
        (now.st_mode & S_IXUSR))
        return 0;
    return report("claim %s", path_of(claim));
}

int claim_note(struct claim *claim, const char *format, ...)
{
    char line[PATH_MAX + 256] = "\t";
    int length = claim->shared; /* with the tab, in case somebody else's last line is torn */
    va_list arguments;

    va_start(arguments, format);
    length += vsnprintf(line + length, sizeof(line) - 1, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof(line) - 1 || strpbrk(line + 1, "\t\n") != NULL)
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
    /* If two that leave at once raised their locks, both could fail. So let go first. */
    if (!claim->shared || (flock(claim->file, LOCK_UN) == 0 && lock(claim->file, LOCK_EX, &status)))
        error = undo(claim, PATIENCE);
    if (error != 0)
        (void)undo(claim, PATIENCE); /* it may have been transient */
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
    if (dead)
        (void)undo(&claim, PASSING);
    claim_close(&claim);
    return alive;
}

static int is_claim(const struct dirent *entry)
{
    char name[NAME_MAX + 3];

    snprintf(name, sizeof(name), "/%s/", entry->d_name);
    return entry->d_type == DT_REG && strstr(own, name) == NULL;
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
    while (count > 0)
        free(claims[--count]);
    free(claims);
}

/* --- undoing a line --------------------------------------------------------------------------- */

/* A link that leads elsewhere by now is somebody else's. With the last name its directory goes. */
static int undo_symlink(const char *target, char *path)
{
    char now[PATH_MAX] = "";
    ssize_t length = readlink(path, now, sizeof(now) - 1);

    if ((length == -1 && errno != ENOENT && errno != EINVAL) ||
        (length > 0 && strcmp(now, target) == 0 && unlink(path) == -1))
        return report("remove %s", path);
    (void)rmdir(dirname(path));
    return 0;
}

/* The next entry but "." and "..". NULL at the end, and for no STREAM. */
static const struct dirent *next_entry(DIR *stream)
{
    const struct dirent *entry;

    do
        entry = stream != NULL ? readdir(stream) : NULL;
    while (entry != NULL && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    return entry;
}

/* Append to PATH the first group in it, if there is one and room. */
static bool append_group(char *path)
{
    DIR *stream = opendir(path);
    const struct dirent *entry = next_entry(stream);

    while (entry != NULL && entry->d_type != DT_DIR)
        entry = next_entry(stream);
    bool fits = entry != NULL && strlen(path) + strlen(entry->d_name) + 2 <= PATH_MAX;
    if (fits)
        strcat(strcat(path, "/"), entry->d_name);
    if (stream != NULL)
        closedir(stream);
    return fits;
}

/* Remove the group PATH, and before it those that the box has made in it, however deep they lie. */
static int remove_group(const char *path)
{
    char group[PATH_MAX];

    snprintf(group, sizeof(group), "%s", path);
    while (true) {
        int error = rmdir(group) == 0 || errno == ENOENT ? 0 : -errno;
        if (error == -EBUSY && append_group(group))
            continue;
        if (error != 0 || strlen(group) == strlen(path))
            return error;
        *strrchr(group, '/') = '\0';
    }
}

int file_write(const char *directory, const char *name, const char *value)
{
    const char *quote = strpbrk(value, " *?[$;&|<>'\"\\") != NULL ? "'" : "";
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    explain("echo %s%s%s > %s\twrite(\"%s\", \"%s\")", quote, value, quote, path, name, value);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    int error = file == -1 || write(file, value, strlen(value)) == -1 ? -errno : 0;
    if (file != -1)
        close(file);
    errno = -error;
    return error;
}

/* Write VALUE to FILE of the group PATH, which may be gone. */
static int write_group(const char *path, const char *file, const char *value)
{
    int error = file_write(path, file, value);

    return error == 0 || error == -ENOENT || error == -ENODEV ? 0
                                                              : report("write %s/%s", path, file);
}

/* With its processes; and with the last of our groups their parent. cgroups(7) */
static int undo_group(char *path, int patience)
{
    explain("rmdir %s\trmdir(\"%s\")", path, path);
    int error = rmdir(path) == 0 || errno == ENOENT ? 0 : -errno;
    if (error == -EBUSY && write_group(path, "cgroup.kill", "1") != 0)
        return error;
    for (; error == -EBUSY && patience > 0; patience--) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        error = remove_group(path);
    }
    errno = -error;
    if (error != 0)
        return report("rmdir %s", path);
    path = dirname(path);
    if (strcmp(basename(path), GROUP_PARENT) == 0) {
        explain("rmdir %s\trmdir(\"%s\")", path, path);
        (void)rmdir(path);
    }
    return 0;
}

/* Remove what is in the directory NAME, and in those there. Directories further down move up to TOP
 * (-1: this is it) for the next pass: so no path gets too long, and only two are ever open. */
static int clear(int above, const char *name, int top)
{
    static unsigned number;
    char moved[32];

    /* Its owner, too, may have no right to read it. */
    (void)fchmodat(above, name, 0700, AT_SYMLINK_NOFOLLOW);
    int file = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), error = 0;
    DIR *stream = file != -1 ? fdopendir(file) : NULL;
    const struct dirent *entry;
    if (stream == NULL)
        return errno == ENOENT ? 0 : report("remove %s", name);
    while (error == 0 && (entry = next_entry(stream)) != NULL) {
        snprintf(moved, sizeof(moved), "moved.%u", number++);
        if (unlinkat(file, entry->d_name, 0) == 0 || errno == ENOENT ||
            (errno == EISDIR && unlinkat(file, entry->d_name, AT_REMOVEDIR) == 0))
            continue;
        if (errno != ENOTEMPTY)
            error = report("remove %s", entry->d_name);
        else if (top == -1)
            error = clear(file, entry->d_name, file);
        else if (fchmodat(file, entry->d_name, 0700, AT_SYMLINK_NOFOLLOW) == -1 || /* its ".." */
                 (renameat(file, entry->d_name, top, moved) == -1 && errno != EEXIST &&
                  errno != ENOTEMPTY && errno != ENOTDIR))
            error = report("remove %s", entry->d_name);
    }
    closedir(stream);
    return error;
}

static int undo_tree(char *path)
{
    int error, passes = MAX_PASSES;

    /* A process that is just being killed may have made something in between. */
    while ((error = clear(AT_FDCWD, path, -1)) == 0 && rmdir(path) == -1 && errno != ENOENT)
        if (errno != ENOTEMPTY || --passes == 0)
            return report("remove %s", path);
    path = dirname(path);
    if (strcmp(basename(path), "boxes") == 0)
        (void)rmdir(path); /* with the last of them */
    return error;
}

/* What is gone, or is somebody else's, is not an error. */
static int undo_line(char *line, const char *token, int patience)
{
    const char *verb = strsep(&line, " "), *word;

    if (strcmp(verb, "table") == 0)
        return nat_remove(NULL, NULL, token);
    if (line == NULL || strcmp(verb, "token") == 0 || strcmp(verb, "status") == 0)
        return 0;
    if (strcmp(verb, "group") == 0)
        return undo_group(line, patience);
    if (strcmp(verb, "frozen") == 0)
        return write_group(line, "cgroup.freeze", "0");
    if (strcmp(verb, "tree") == 0)
        return undo_tree(line);
    if (strcmp(verb, "bridge") == 0)
        return link_remove_bridge(line, token);
    if (strcmp(verb, "forwarding") == 0)
        return forwarding_stop(line);
    if (strcmp(verb, "localnet") == 0)
        return setting_set("ipv4", line, "route_localnet", '0') ?: forwarding_stop(line);
    word = strsep(&line, " ");
    if (line != NULL && strcmp(verb, "element") == 0)
        return nat_remove(word, line, token);
    if (line != NULL && strcmp(verb, "symlink") == 0)
        return undo_symlink(word, line);
    return refuse("undo '%s': it is from another version", verb);
}
