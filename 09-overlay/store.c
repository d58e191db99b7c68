#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "../02-uts/spawn.h"
#include "../04-mnt/inside.h"
#include "entries.h"
#include "tarfile.h"

static char store_home[PATH_MAX - 2 * NAME_MAX]; /* the path, once store_open() has found it */

/* The path of KIND/NAME, until the next call. */
static const char *place(const char *kind, const char *name)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s/%s", store_home, kind, name);
    return path;
}

/* Put an absolute path into store_home. False with errno if there is no place for a store. */
static bool choose_home(void)
{
    const char *chosen = getenv("TEN_STEPS_HOME"), *data = getenv("XDG_DATA_HOME");
    const char *base = getenv("HOME"), *rest = "/.local/share/ten-steps";
    char here[PATH_MAX] = "";

    if (store_home[0] != '\0') /* the same from the first call on */
        return true;
    if (geteuid() == 0 && !in_user_namespace())
        data = "/var/lib";
    if (data != NULL && data[0] == '/') {
        base = data;
        rest = "/ten-steps";
    }
    if (chosen != NULL && chosen[0] != '\0') {
        base = chosen;
        rest = "";
    }
    errno = ENOENT;
    if (base == NULL || (base[0] != '/' && (base != chosen || getcwd(here, sizeof(here)) == NULL)))
        return false;
    errno = ENAMETOOLONG;
    return snprintf(store_home, sizeof(store_home), "%s%s%s%s", here, here[0] ? "/" : "", base,
                    rest) < (int)sizeof(store_home);
}

/* Paths go into lines, such as those of a claim, which a line break in them would split. */
static int check_home(void)
{
    for (const char *each = store_home; *each != '\0'; each++)
        if (tool_control(each) > 0)
            return refuse("store: its path has a control character in it");
    return 0;
}

/* As mkdir -p. Only the user may look in: set-user-ID programs of layers lie in the store. */
static int make_directories(void)
{
    static const char *const kinds[] = {"tmp", "images", "configs", "layers"};
    int error = 0;

    for (char *slash = strchr(store_home + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(store_home, 0755);
        *slash = '/';
    }
    if (mkdir(store_home, 0700) == -1 && errno != EEXIST)
        error = report("store: make %s", store_home);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && error == 0; i++)
        if (mkdir(place(kinds[i], ""), 0700) == -1 && errno != EEXIST)
            error = report("store: make %s", place(kinds[i], ""));
    return error;
}

/* The directory that is made last is there. */
static bool is_there(void)
{
    return access(place("layers", ""), F_OK) == 0;
}

const char *store_open(void)
{
    static bool is_open;

    if (is_open)
        return store_home;
    umask(022); /* tar makes directories that a layer's tar doesn't have, and doesn't ask us */
    if (!choose_home()) {
        hint("choose one: TEN_STEPS_HOME=DIRECTORY");
        (void)report("no place for the store of images");
        return NULL;
    }
    is_open = check_home() == 0 && (is_there() || make_directories() == 0);
    return is_open ? store_home : NULL;
}

const char *store_find(void)
{
    return choose_home() && is_there() ? store_open() : NULL;
}

const char *store_claims(void)
{
    static char claims[PATH_MAX];

    if (store_open() == NULL)
        return NULL;
    snprintf(claims, sizeof(claims), "%s/claims", store_home);
    return claims;
}

char *store_path(const char *kind, const char *name, const char *rest)
{
    char *path;

    if (asprintf(&path, "%s/%s/%s%s%s", store_home, kind, name, rest[0] ? "/" : "", rest) == -1)
        die("store");
    return path;
}

int store_lock(void)
{
    int lock = open(store_home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (lock == -1)
        return report("store %s", store_home);
    spawn_hold_stops(true);
    if (flock(lock, LOCK_EX) == 0)
        return lock;
    int error = report("lock the store %s", store_home);
    store_unlock(lock);
    return error;
}

void store_unlock(int lock)
{
    if (lock < 0)
        return;
    close(lock);
    spawn_hold_stops(false);
}

char *store_temporary(struct claim *claim)
{
    const char *claims = store_claims();
    int error = claims == NULL ? -EIO : claim_take(claim, claims, NULL);

    if (error != 0)
        return NULL;
    char *path = store_path("tmp", claim->token, "");
    error = claim_note(claim, "tree %s", path);
    if (error == 0 && mkdir(path, 0700) == -1)
        error = report("store: make %s", path);
    if (error == 0)
        return path;
    claim_end(claim);
    free(path);
    return NULL;
}

int store_nameless(void)
{
    if (store_open() == NULL)
        return -EIO;
    int file = open(place("tmp", ""), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return file != -1 ? file : report("store: make a file in %s", place("tmp", ""));
}

/* Open and lock KIND/DIGEST, if that still is its name then. Returns a descriptor or -errno. */
static int lock_one(const char *kind, const char *digest, int how)
{
    struct stat opened, named;
    int file = open(place(kind, digest), O_RDONLY | O_CLOEXEC);

    if (file == -1)
        return -errno;
    int error = flock(file, how | LOCK_NB) == 0 ? 0 : -EBUSY;
    if (error == 0 && (fstat(file, &opened) == -1 || stat(place(kind, digest), &named) == -1 ||
                       opened.st_ino != named.st_ino))
        error = -ENOENT;
    if (error == 0)
        return file;
    close(file);
    return error;
}

int store_hold(const char *kind, const char *digest)
{
    if (strcmp(kind, "layers") == 0 && !store_is_whole(digest))
        return -ENOENT;
    int held = lock_one(kind, digest, LOCK_SH);
    if (held >= 0 || held == -ENOENT || held == -EBUSY) /* busy: it is just being removed */
        return held >= 0 ? held : -ENOENT;
    errno = -held;
    return report("%s", place(kind, digest));
}

int store_seize(const char *kind, const char *digest)
{
    return lock_one(kind, digest, LOCK_EX);
}

bool store_is_whole(const char *digest)
{
    char size[NAME_MAX];
    struct stat status;

    snprintf(size, sizeof(size), "%s/size", digest);
    return stat(place("layers", size), &status) == 0 && status.st_size > 0;
}

int store_write(const char *kind, const char *name, const void *data, size_t length)
{
    char *made = store_path("tmp", "new", ""); /* of one process: it holds the store */
    size_t there = 0;
    char *text = store_read(kind, name, &there);
    bool same = text != NULL && there == length && memcmp(text, data, length) == 0;
    int file = same ? -1 : open(made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int error = same || file != -1 ? 0 : report("store: make %s", made);

    if (file != -1) {
        error = write_all(file, data, length);
        close(file);
        if (error == 0 && rename(made, place(kind, name)) == -1)
            error = report("store: make %s", place(kind, name));
        if (error != 0)
            unlink(made);
    }
    free(text);
    free(made);
    return error;
}

char *store_read(const char *kind, const char *name, size_t *length)
{
    int file = open(place(kind, name), O_RDONLY | O_CLOEXEC);
    struct stat status;
    char *text = NULL;

    if (file == -1)
        return NULL;
    if (fstat(file, &status) == 0 && (text = calloc(1, (size_t)status.st_size + 1)) != NULL) {
        ssize_t got = read(file, text, (size_t)status.st_size);
        *length = got > 0 ? (size_t)got : 0;
        text[*length] = '\0';
    }
    close(file);
    return text;
}

char **store_list(const char *kind)
{
    struct dirent **entries = NULL;
    int directory = open(place(kind, ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int count = directory == -1 ? -1 : entries_read(directory, &entries);
    char **names = count < 0 ? NULL : calloc((size_t)count + 1, sizeof(*names));

    if (names == NULL)
        (void)report("read %s", place(kind, ""));
    for (int i = 0; i < count; i++) {
        if (names != NULL)
            names[i] = strdup(entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (directory != -1)
        close(directory);
    return names;
}

void store_free(char **names)
{
    for (char **name = names; name != NULL && *name != NULL; name++)
        free(*name);
    free(names);
}
