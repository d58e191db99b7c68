#define _GNU_SOURCE
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
#include "../06-user/idmap.h"
#include "../07-net/claim.h"

/* The paths, once choose_home() has found them. */
static char store_home[PATH_MAX - 2 * NAME_MAX], claims[PATH_MAX];

/* About this process's directory in tmp/, once there is one. */
static struct claim temporary = {.file = -1};

const char *store_path(const char *kind, const char *name, const char *rest)
{
    static char paths[8][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 8];
    int before = snprintf(path, PATH_MAX, "%s/%s/", store_home, kind);

    snprintf(path + before, PATH_MAX - (size_t)before, "%s%s%s", name, rest[0] ? "/" : "", rest);
    if (strcmp(kind, "images") == 0)
        for (char *slash = path + before; (slash = strchr(slash, '/')) != NULL;)
            *slash = '%';
    return path;
}

static const char *place(const char *kind, const char *name)
{
    return store_path(kind, name, "");
}

/*
 * Paths go into lines, such as those of a claim, which a line break in them would split, and onto
 * terminals. The choice stays the same from the first call on.
 */
static bool choose_home(void)
{
    const char *chosen = getenv("TEN_STEPS_HOME"), *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");

    if (store_home[0] != '\0')
        return true;
    if (chosen != NULL && chosen[0] != '\0')
        snprintf(store_home, sizeof(store_home), "%s", chosen);
    else if (geteuid() == 0 && !in_user_namespace())
        strcpy(store_home, "/var/lib/ten-steps");
    else if (data != NULL && data[0] == '/')
        snprintf(store_home, sizeof(store_home), "%s/ten-steps", data);
    else if (home != NULL)
        snprintf(store_home, sizeof(store_home), "%s/.local/share/ten-steps", home);
    bool good = store_home[0] == '/' && strlen(store_home) < sizeof(store_home) - 1;
    for (const char *each = store_home; good && *each != '\0'; each++)
        good = tool_control(each) == 0;
    if (!good)
        store_home[0] = '\0';
    snprintf(claims, sizeof(claims), "%s/claims", store_home);
    return good;
}

/* Only the user may look into the store: set-user-ID programs of layers lie there. */
static void make_directories(void)
{
    static const char *const kinds[] = {"", "tmp", "images", "configs", "layers"};

    for (char *slash = store_home; (slash = strchr(slash + 1, '/')) != NULL; *slash = '/') {
        *slash = '\0';
        (void)mkdir(store_home, 0755);
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (mkdir(place(kinds[i], ""), 0700) == -1 && errno != EEXIST)
            die("store: make %s", place(kinds[i], ""));
}

const char *store_open(void)
{
    static bool is_open;

    if (is_open)
        return store_home;
    umask(022); /* tar makes directories that a layer's tar doesn't have, and doesn't ask us */
    if (!choose_home()) {
        hint("TEN_STEPS_HOME=DIRECTORY chooses one");
        fail("store: its path has to be absolute, without control characters");
    }
    if (access(place("layers", ""), F_OK) == -1) /* which is made last */
        make_directories();
    is_open = true;
    return store_home;
}

const char *store_find(void)
{
    return choose_home() && access(place("layers", ""), F_OK) == 0 ? store_open() : NULL;
}

const char *store_claims(void)
{
    (void)store_open();
    return claims;
}

int store_lock(void)
{
    int lock = open(store_open(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    spawn_hold_stops(true);
    if (lock == -1 || flock(lock, LOCK_EX) == -1)
        die("lock the store %s", store_home);
    return lock;
}

void store_unlock(int lock)
{
    close(lock);
    spawn_hold_stops(false);
}

void store_clean(void)
{
    (void)claim_end(&temporary);
}

static void open_temporary(void)
{
    if (temporary.file != -1)
        return;
    atexit(store_clean);
    if (claim_take(&temporary, store_claims(), NULL, LOCK_EX) != 0 ||
        claim_note(&temporary, "tree %s", place("tmp", temporary.token)) != 0)
        exit(EXIT_TOOL);
    if (mkdir(place("tmp", temporary.token), 0700) == -1)
        die("store: make %s", place("tmp", temporary.token));
}

const char *store_temporary(const char *name)
{
    open_temporary();
    return store_path("tmp", temporary.token, name);
}

int store_file(void)
{
    int file = open(store_open(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (file == -1)
        die("make a file in %s", store_open());
    return file;
}

int store_note(const char *verb, const char *path)
{
    open_temporary();
    return claim_note(&temporary, "%s %s", verb, path);
}

void store_forget(void)
{
    claim_close(&temporary);
}

void store_hold(const char *path)
{
    int held = open(path, O_RDONLY | O_CLOEXEC);

    if (held == -1 || flock(held, LOCK_SH) == -1)
        die("hold %s", path);
}

bool store_is_held(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool held = file != -1 && flock(file, LOCK_EX | LOCK_NB) == -1;

    close(file);
    return held;
}

bool store_is_whole(const char *digest)
{
    struct stat status;

    return stat(store_path("layers", digest, "size"), &status) == 0 && status.st_size > 0;
}

char *store_read(const char *path, size_t *length)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    char *text = NULL;

    if (file != -1 && fstat(file, &status) == 0 &&
        (text = calloc(1, (size_t)status.st_size + 1)) != NULL) {
        ssize_t got = read(file, text, (size_t)status.st_size);
        *length = got > 0 ? (size_t)got : 0;
    }
    if (file != -1)
        close(file);
    return text;
}

/* If it is there already, the file stays the one that others may hold and that has names. */
void store_write(const char *id, const char *text, size_t length)
{
    const char *path = place("configs", id);
    struct stat status;

    if (stat(path, &status) == 0 && status.st_size == (off_t)length)
        return;
    FILE *file = fopen(path, "we");
    if (file != NULL)
        fwrite(text, 1, length, file);
    if (file == NULL || fclose(file) != 0)
        die("store: make %s", path);
}

/* Until that moment NAME may be another image's. */
void store_give_name(const char *name, const char *id)
{
    const char *made = place("tmp", "new"), *path = place("images", name);

    (void)unlink(made); /* of a command that was killed */
    if (link(place("configs", id), made) == -1 || rename(made, path) == -1)
        die("store: make %s", path);
    (void)unlink(made); /* rename(2) of one link to a file onto another does nothing */
}

static int is_name(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int store_list(const char *kind, struct dirent ***entries)
{
    int count = scandir(place(kind, ""), entries, is_name, alphasort);

    if (count == -1)
        die("read %s", place(kind, ""));
    return count;
}

static bool is_needed(const char *config)
{
    struct stat status;

    return (stat(config, &status) == 0 && status.st_nlink > 1) || store_is_held(config);
}

/* In one step, for what lies below may be much. */
static void take_away(const char *kind, const char *name)
{
    if (rename(place(kind, name), store_temporary(name)) == -1)
        die("remove %s", place(kind, name));
}

/* Take away what nothing needs. A digest is in no configuration by chance. */
static void collect(FILE *needed, char *const *text)
{
    struct dirent **names = NULL;
    size_t length;

    for (int count = store_list("configs", &names), i = 0; i < count; free(names[i++])) {
        const char *path = place("configs", names[i]->d_name);
        char *config = store_read(path, &length);
        if (!is_needed(path))
            take_away("configs", names[i]->d_name);
        else if (config == NULL || fputs(config, needed) < 0)
            die("read %s", path);
        free(config);
    }
    free(names);
    if (fflush(needed) != 0)
        die("store");
    for (int count = store_list("layers", &names), i = 0; i < count; free(names[i++]))
        if (strstr(*text, names[i]->d_name) == NULL || !store_is_whole(names[i]->d_name))
            take_away("layers", names[i]->d_name);
    free(names);
}

int store_collect(void)
{
    char *text = NULL;
    size_t size;
    FILE *needed = open_memstream(&text, &size);

    if (needed == NULL)
        die("store");
    claim_sweep(store_claims(), true);
    int lock = store_lock();
    collect(needed, &text);
    store_unlock(lock);
    (void)fclose(needed);
    free(text);
    return claim_end(&temporary); /* which may take long */
}
