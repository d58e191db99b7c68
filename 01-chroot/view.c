#include "view.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

enum { MAX_ROWS = 24, SEEN = 26 /* characters of a column */ };

/* One row: what is seen, and where it comes from. Two equal sources mean that the row is shared. */
struct view {
    struct row {
        const char *name;
        char seen[SEEN + 1], source[64];
    } rows[MAX_ROWS];
    int count;
};

static struct view host;
static bool colour;        /* it is printed on a terminal; the box may have a pipe to it instead */
static int host_proc = -1; /* the host's /proc: it answers even where the box has none */

static void add(struct view *view, const char *name, const char *source, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void add(struct view *view, const char *name, const char *source, const char *format, ...)
{
    struct row *row = &view->rows[view->count++];
    va_list arguments;

    row->name = name;
    snprintf(row->source, sizeof(row->source), "%s", source);
    va_start(arguments, format);
    vsnprintf(row->seen, sizeof(row->seen), format, arguments);
    va_end(arguments);
}

/* The text of PATH in the host's /proc: about this very process where it begins with "self/", and
 * else about the namespaces that it is in. "" if it can't be read. */
static const char *text_of(const char *path)
{
    static char text[1 << 18];
    ssize_t length = 0, got;
    int file = openat(host_proc, path, O_RDONLY | O_CLOEXEC);

    while (file != -1 && (got = read(file, text + length, sizeof(text) - 1 - (size_t)length)) > 0)
        length += got;
    if (file != -1)
        close(file);
    text[length] = '\0';
    return text;
}

static int lines_of(const char *path)
{
    int lines = 0;

    for (const char *c = text_of(path); *c != '\0'; c++)
        lines += *c == '\n';
    return lines;
}

/* What stands behind KEY on its line of PATH, or the first line if KEY is "". */
static const char *line_of(const char *path, const char *key)
{
    char *found = strstr((char *)text_of(path), key);

    if (found == NULL)
        return "";
    found += strlen(key);
    found += strspn(found, " \t");
    found[strcspn(found, "\n")] = '\0';
    return found;
}

static const char *interface_names(void)
{
    static char names[SEEN + 16];
    size_t length = 0;
    char *rest = NULL, *text = (char *)text_of("self/net/dev");

    names[0] = '\0';
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *colon = strchr(line, ':');
        if (colon != NULL && length < sizeof(names))
            length += (size_t)snprintf(
                names + length, sizeof(names) - length, "%s%.*s", length > 0 ? " " : "",
                (int)(colon - line) - (int)strspn(line, " "), line + strspn(line, " "));
    }
    return length > 0 ? names : "can't be read";
}

/* How many processes /proc shows, -1 without one. That was settled when it was mounted. */
static int processes_seen(void)
{
    int seen = 0;
    DIR *directory = opendir("/proc");
    struct dirent *entry;

    while (directory != NULL && (entry = readdir(directory)) != NULL)
        seen += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
    if (directory != NULL)
        closedir(directory);
    return seen;
}

/* /proc/self/ns/KIND is a link to "KIND:[INODE]", which names the namespace: namespaces(7). */
static void read_namespaces(struct view *view, const char *const *kinds, char (*names)[32])
{
    char path[64];

    for (int i = 0; kinds[i] != NULL; i++) {
        snprintf(path, sizeof(path), "self/ns/%s", kinds[i]);
        ssize_t length = readlinkat(host_proc, path, names[i], sizeof(names[i]) - 1);
        names[i][length > 0 ? length : 0] = '\0';
        add(view, "namespace", names[i], "%s", names[i]);
    }
}

static void look(struct view *view)
{
    static const char *const kinds[] = {"mnt", "uts",    "pid",  "ipc", "user",
                                        "net", "cgroup", "time", NULL};
    enum { MNT, UTS, PID, IPC, USER, NET, CGROUP, TIME, KINDS };
    char of[KINDS][32], source[64];
    struct stat root, proc = {.st_dev = 0};
    struct timespec boot;

    read_namespaces(view, kinds, of);
    if (stat("/", &root) == -1)
        die("stat /");
    snprintf(source, sizeof(source), "%ju:%ju", (uintmax_t)root.st_dev, (uintmax_t)root.st_ino);
    add(view, "root directory", source, "device %u:%u inode %ju", major(root.st_dev),
        minor(root.st_dev), (uintmax_t)root.st_ino);
    add(view, "mounts", of[MNT], "%d", lines_of("self/mountinfo"));
    add(view, "host name", of[UTS], "%s", line_of("sys/kernel/hostname", ""));
    add(view, "domain name", of[UTS], "%s", line_of("sys/kernel/domainname", ""));
    add(view, "own PID", of[PID], "%d", getpid());
    int seen = processes_seen();
    if (seen > 0 && stat("/proc", &proc) == 0)
        snprintf(source, sizeof(source), "/proc on %ju", (uintmax_t)proc.st_dev);
    else
        snprintf(source, sizeof(source), "%s", of[PID]);
    add(view, "processes seen", source, seen > 0 ? "%d" : "no /proc here", seen);
    /* The first line of these, and of the routes, is a heading. */
    add(view, "IPC objects", of[IPC], "%d queues %d sem %d shm", lines_of("sysvipc/msg") - 1,
        lines_of("sysvipc/sem") - 1, lines_of("sysvipc/shm") - 1);
    add(view, "user and group", of[USER], "%u:%u", geteuid(), getegid());
    unsigned long long capabilities = strtoull(line_of("self/status", "CapEff:"), NULL, 16);
    snprintf(source, sizeof(source), "%s %llx", of[USER], capabilities);
    add(view, "capabilities", source, "%d (%llx)", __builtin_popcountll(capabilities),
        capabilities);
    add(view, "interfaces", of[NET], "%s", interface_names());
    int routes = lines_of("self/net/route");
    add(view, "routes", of[NET], "%d", routes > 0 ? routes - 1 : 0);
    add(view, "cgroup", of[CGROUP], "%s", line_of("self/cgroup", "0::"));
    clock_gettime(CLOCK_BOOTTIME, &boot);
    add(view, "boot clock", of[TIME], "%jd s", (intmax_t)boot.tv_sec);
}

void view_remember_host(void)
{
    if (host.count > 0) /* --view has been said twice */
        return;
    host_proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (host_proc == -1 || faccessat(host_proc, "self/ns", F_OK, 0) == -1)
        die("--view needs the host's /proc");
    colour = isatty(STDOUT_FILENO);
    look(&host);
}

void view_in_place_of_command(void)
{
    struct view box = {.count = 0};

    if (host.count == 0)
        return;
    look(&box);
    printf("%-15s %-*s %-*s\n", "", SEEN, "HOST", SEEN, "BOX");
    for (int i = 0; i < host.count; i++) {
        const struct row *outside = &host.rows[i], *inside = &box.rows[i];
        bool isolated = strcmp(outside->source, inside->source) != 0;
        printf("%-15s %-*s %-*s %s%s%s\n", outside->name, SEEN, outside->seen, SEEN, inside->seen,
               colour ? (isolated ? "\033[32m" : "\033[33m") : "", isolated ? "isolated" : "shared",
               colour ? "\033[0m" : "");
    }
    if (fflush(stdout) != 0)
        die("write");
    exit(EXIT_SUCCESS);
}
