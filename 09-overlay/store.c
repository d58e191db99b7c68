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
static struct claim temporary = CLAIM_NONE;

/* The path of KIND/NAME, until the next call. */
static const char *place(const char *kind, const char *name)
{
    static char path[PATH_MAX];
    int before = snprintf(path, sizeof(path), "%s/%s/", store_home, kind);

    snprintf(path + before, sizeof(path) - (size_t)before, "%s", name);
    if (strcmp(kind, "images") == 0)
        for (char *slash = path + before; (slash = strchr(slash, '/')) != NULL;)
            *slash = '%';
    return path;
}

/* Paths go into lines, such as those of a claim, which a line break in them would split, and onto
 * terminals. */
static bool choose_home(void)
{
    const char *chosen = getenv("TEN_STEPS_HOME"), *data = getenv("XDG_DATA_HOME");
    const char *base = getenv("HOME"), *rest = "/.local/share/ten-steps";

    if (store_home[0] != '\0') /* the same from the first call on */
        return true;
    if (geteuid() == 0 && !in_user_namespace())
        data = "/var/lib";
    if (chosen != NULL && chosen[0] != '\0') {
        base = chosen;
        rest = "";
    } else if (data != NULL && data[0] == '/') {
        base = data;
        rest = "/ten-steps";
    }
    bool good = base != NULL && base[0] == '/' && strlen(base) < sizeof(store_home) - 64;
    for (const char *each = base; good && *each != '\0'; each++)
        good = tool_control(each) == 0;
    if (good) {
        snprintf(store_home, sizeof(store_home), "%s%s", base, rest);
        snprintf(claims, sizeof(claims), "%s/claims", store_home);
    }
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

char *store_path(const char *kind, const char *name, const char *rest)
{
    char *path;

    if (asprintf(&path, "%s%s%s", place(kind, name), rest[0] ? "/" : "", rest) == -1)
        die("store");
    return path;
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

static void clean_up(void)
{
    (void)store_clean();
}

static void open_temporary(void)
{
    if (temporary.file != -1)
        return;
    if (claim_take(&temporary, store_claims(), NULL) != 0 ||
        claim_note(&temporary, "tree %s", place("tmp", temporary.token)) != 0)
        exit(EXIT_TOOL);
    if (mkdir(place("tmp", temporary.token), 0700) == -1)
        die("store: make %s", place("tmp", temporary.token));
    atexit(clean_up);
}

char *store_temporary(const char *name)
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

int store_clean(void)
{
    return claim_end(&temporary);
}

void store_forget(void)
{
    claim_close(&temporary);
}

int store_hold(const char *kind, const char *name)
{
    int held = open(place(kind, name), O_RDONLY | O_CLOEXEC);

    if (held == -1 || flock(held, LOCK_SH) == -1)
        die("hold %s", place(kind, name));
    return held;
}

bool store_is_held(const char *kind, const char *name)
{
    int file = open(place(kind, name), O_RDONLY | O_CLOEXEC);
    bool held = file != -1 && flock(file, LOCK_EX | LOCK_NB) == -1;

    close(file);
    return held;
}

bool store_is_whole(const char *digest)
{
    char size[NAME_MAX];
    struct stat status;

    snprintf(size, sizeof(size), "%s/size", digest);
    return stat(place("layers", size), &status) == 0 && status.st_size > 0;
}

/* If it is there already, the file stays the one that others may hold and that has names. */
void store_write(const char *kind, const char *name, const void *data, size_t length)
{
    struct stat status;

    if (stat(place(kind, name), &status) == 0 && status.st_size == (off_t)length)
        return;
    FILE *file = fopen(place(kind, name), "we");
    if (file != NULL)
        fwrite(data, 1, length, file);
    if (file == NULL || fclose(file) != 0)
        die("store: make %s", place(kind, name));
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
    }
    close(file);
    return text;
}

/* Until that moment NAME may be another image's. */
void store_give_name(const char *name, const char *id)
{
    char *made = store_path("tmp", "new", ""), *config = store_path("configs", id, "");

    (void)unlink(made); /* of a command that was killed */
    if (link(config, made) == -1 || rename(made, place("images", name)) == -1)
        die("store: make %s", place("images", name));
    (void)unlink(made); /* rename(2) of one link to a file onto another does nothing */
    free(made);
    free(config);
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

/*
 * Take all of KIND that nothing needs out of the way, in one step each. The configurations that
 * stay go into the stream NEEDED, and so into TEXT. A digest is in no text by chance: a layer that
 * none of them has in it is needed by nothing.
 */
static void collect(const char *kind, FILE *needed, char *const *text)
{
    bool is_layer = strcmp(kind, "layers") == 0;
    struct dirent **entries = NULL;
    struct stat status;
    size_t length;

    for (int count = store_list(kind, &entries), i = 0; i < count; free(entries[i++])) {
        const char *name = entries[i]->d_name;
        bool is_needed = is_layer
                             ? strstr(*text, name) != NULL && store_is_whole(name)
                             : (stat(place(kind, name), &status) == 0 && status.st_nlink > 1) ||
                                   store_is_held(kind, name);
        if (!is_needed) {
            char *trash = store_temporary(name);
            if (rename(place(kind, name), trash) == -1)
                die("remove %s", place(kind, name));
            free(trash);
        } else if (!is_layer) {
            char *config = store_read(kind, name, &length);
            if (config == NULL || fputs(config, needed) < 0 || fflush(needed) != 0)
                die("read %s", place(kind, name));
            free(config);
        }
    }
    free(entries);
}

int store_collect(void)
{
    char *text = NULL;
    size_t size;
    FILE *needed = open_memstream(&text, &size);

    if (needed == NULL || fflush(needed) != 0)
        die("store");
    claim_sweep(store_claims(), true);
    int lock = store_lock();
    collect("configs", needed, &text);
    collect("layers", needed, &text);
    store_unlock(lock);
    (void)fclose(needed);
    free(text);
    return store_clean(); /* which may take long */
}
