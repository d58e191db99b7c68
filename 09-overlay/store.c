#include "store.h"

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
#include "../07-net/lock.h"
#include "entries.h"
#include "tarfile.h"

enum { LONGEST_WAIT = 60000 }; /* milliseconds: who holds it may be removing a large layer */

static char *store_home; /* the path, once store_open() has found it */

static char *choose_home(void)
{
    const char *chosen = getenv("TEN_STEPS_HOME"), *data = getenv("XDG_DATA_HOME");
    const char *user_home = getenv("HOME");
    char *path = NULL;

    if (chosen != NULL && chosen[0] != '\0')
        return realpath(chosen, NULL) ? realpath(chosen, NULL) : strdup(chosen);
    if (geteuid() == 0 && !in_user_namespace())
        return strdup("/var/lib/ten-steps");
    if (data != NULL && data[0] == '/')
        return asprintf(&path, "%s/ten-steps", data) == -1 ? NULL : path;
    if (user_home == NULL || user_home[0] != '/') {
        errno = ENOENT;
        return NULL;
    }
    return asprintf(&path, "%s/.local/share/ten-steps", user_home) == -1 ? NULL : path;
}

/* As mkdir -p. Only the user may look in: set-user-ID programs of layers lie in the store. */
static int make_directories(char *path)
{
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL)
            *slash = '\0';
        int made = mkdir(path, slash ? 0755 : 0700);
        if (made == -1 && errno != EEXIST)
            return report("store: make %s", path);
        if (slash == NULL)
            return 0;
        *slash = '/';
    }
}

const char *store_open(void)
{
    static const char *const kinds[] = {"layers", "configs", "images", "tmp"};

    if (store_home != NULL)
        return store_home;
    umask(022); /* tar makes directories that a layer's tar doesn't have, and doesn't ask us */
    char *home = choose_home();
    if (home == NULL) {
        hint("say where it shall be: TEN_STEPS_HOME=DIRECTORY");
        (void)report("no place for the store of images");
        return NULL;
    }
    if (make_directories(home) != 0)
        return NULL;
    char *real = realpath(home, NULL);
    free(home);
    for (size_t i = 0; real != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%s/%s", real, kinds[i]);
        if (mkdir(path, 0700) == -1 && errno != EEXIST) {
            (void)report("store: make %s", path);
            return NULL;
        }
    }
    if (real == NULL)
        (void)report("store");
    return store_home = real;
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
    if (lock_wait(lock, LONGEST_WAIT) == 0)
        return lock;
    if (errno == EWOULDBLOCK)
        hint("another command holds it and doesn't come to an end: see 'lslocks'");
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

char *store_temporary(int *lock)
{
    int held = store_lock();
    if (held < 0)
        return NULL;
    char *path = store_path("tmp", "XXXXXX", "");
    if (mkdtemp(path) == NULL) {
        (void)report("store: make %s", path);
        free(path);
        store_unlock(held);
        return NULL;
    }
    *lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*lock == -1 || flock(*lock, LOCK_SH | LOCK_NB) == -1) {
        (void)report("store: hold %s", path);
        free(path);
        path = NULL;
    }
    store_unlock(held);
    return path;
}

int store_nameless(void)
{
    const char *home = store_open();
    char path[PATH_MAX];

    if (home == NULL)
        return -EIO;
    snprintf(path, sizeof(path), "%s/tmp", home);
    int file = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return file != -1 ? file : report("store: make a file in %s", path);
}

/* Is the open file still the one that is called PATH? */
static bool is_still(int file, const char *path)
{
    struct stat opened, named;

    return fstat(file, &opened) == 0 && stat(path, &named) == 0 && opened.st_ino == named.st_ino;
}

int store_hold(const char *kind, const char *digest)
{
    char *path = store_path(kind, digest, "");
    int held = open(path, O_RDONLY | O_CLOEXEC);

    if (held != -1 && strcmp(kind, "layers") == 0 && !store_is_whole(digest)) {
        close(held);
        held = -ENOENT;
    } else if (held == -1) {
        held = errno == ENOENT ? -ENOENT : report("%s", path);
    } else if (flock(held, LOCK_SH | LOCK_NB) == -1 || !is_still(held, path)) {
        close(held); /* it is being removed right now, or was since it has been opened */
        held = -ENOENT;
    }
    free(path);
    return held;
}

bool store_is_whole(const char *digest)
{
    char *path = store_path("layers", digest, "size");
    struct stat status;
    bool whole = stat(path, &status) == 0 && status.st_size > 0;

    free(path);
    return whole;
}

int store_seize(const char *kind, const char *digest)
{
    char *path = store_path(kind, digest, "");
    int seized = open(path, O_RDONLY | O_CLOEXEC);

    free(path);
    if (seized == -1)
        return -errno;
    if (flock(seized, LOCK_EX | LOCK_NB) == 0)
        return seized;
    close(seized);
    return -EBUSY;
}

int store_write(const char *kind, const char *name, const void *data, size_t length)
{
    char *path = store_path(kind, name, "");
    char *temporary = store_path("tmp", "XXXXXX", "");
    int error = 0;
    int file = mkostemp(temporary, O_CLOEXEC);

    if (file == -1) {
        error = report("store: make %s", temporary);
    } else {
        error = write_all(file, data, length);
        close(file);
        if (error == 0 && rename(temporary, path) == -1)
            error = report("store: make %s", path);
        if (error != 0)
            unlink(temporary);
    }
    free(path);
    free(temporary);
    return error;
}

char *store_read(const char *kind, const char *name, size_t *length)
{
    char *path = store_path(kind, name, "");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    char *text = NULL;

    free(path);
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
    char *path = store_path(kind, "", "");
    struct dirent **entries = NULL;
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int count = directory == -1 ? -1 : entries_read(directory, &entries);
    char **names = count < 0 ? NULL : calloc((size_t)count + 1, sizeof(*names));

    if (names == NULL)
        (void)report("read %s", path);
    for (int i = 0; i < count; i++) {
        if (names != NULL)
            names[i] = strdup(entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    free(path);
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

char *store_encode(const char *name)
{
    char *file = calloc(3, strlen(name) + 1), *to = file;

    for (; file != NULL && *name != '\0'; name++)
        if (*name == '/' || *name == '%' || (to == file && *name == '.'))
            to += sprintf(to, "%%%02X", (unsigned char)*name);
        else
            *to++ = *name;
    return file;
}

char *store_decode(const char *file)
{
    char *name = calloc(1, strlen(file) + 1), *to = name;

    for (; name != NULL && *file != '\0'; file++) {
        unsigned code;
        if (*file == '%' && sscanf(file + 1, "%2X", &code) == 1) {
            *to++ = (char)code;
            file += 2;
        } else {
            *to++ = *file;
        }
    }
    return name;
}
