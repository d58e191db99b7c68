#define _GNU_SOURCE
#include "view.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program.h"
#include "tool.h"

/* What a row shows: something from a file of /proc, or something else. */
enum what { LINK, WORD, LINES, NAMES, OWN_PID, PROCESSES, ROOT };

/*
 * One row: the namespace that it belongs to, the path in the host's /proc that it comes from
 * ("self" there is the process that looks, and other files show that process's namespaces), and the
 * text in front of a WORD, or how many of the LINES are headings.
 */
static const struct {
    const char *name, *namespace, *path, *key;
    enum what what;
    int headings;
} rows[] = {
    {"namespace", "mnt", "self/ns/mnt", "", LINK, 0},
    {"namespace", "uts", "self/ns/uts", "", LINK, 0},
    {"namespace", "pid", "self/ns/pid", "", LINK, 0},
    {"namespace", "ipc", "self/ns/ipc", "", LINK, 0},
    {"namespace", "user", "self/ns/user", "", LINK, 0},
    {"namespace", "net", "self/ns/net", "", LINK, 0},
    {"namespace", "cgroup", "self/ns/cgroup", "", LINK, 0},
    {"namespace", "time", "self/ns/time", "", LINK, 0},
    {"root directory", NULL, "", "", ROOT, 0},
    {"mounts", "mnt", "self/mountinfo", "", LINES, 0},
    {"host name", "uts", "sys/kernel/hostname", "", WORD, 0},
    {"domain name", "uts", "sys/kernel/domainname", "", WORD, 0},
    {"own PID", "pid", "", "", OWN_PID, 0},
    {"processes seen", NULL, "", "", PROCESSES, 0},
    {"message queues", "ipc", "sysvipc/msg", "", LINES, 1},
    {"user", "user", "self/status", "Uid:", WORD, 0},
    {"group", "user", "self/status", "Gid:", WORD, 0},
    {"capabilities", "user", "self/status", "CapEff:", WORD, 0},
    {"interfaces", "net", "self/net/dev", "", NAMES, 0},
    {"routes", "net", "self/net/route", "", LINES, 1},
    {"cgroup", "cgroup", "self/cgroup", "0::", WORD, 0},
    {"boot clock", "time", "uptime", "", WORD, 0},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]), SEEN = 26 /* characters of a column */ };

/* If both sides have the same source, the row is shared. */
struct view {
    char seen[ROWS][SEEN + 1], source[ROWS][2 * SEEN];
};

static struct view host;
static int host_proc = -1; /* the host's /proc: it answers even where the box has none */
static bool colour;        /* the host's output is a terminal; the box may only have a pipe to it */

static void read_link(const char *path, char *seen)
{
    ssize_t length = readlinkat(host_proc, path, seen, SEEN);

    seen[length > 0 ? length : 0] = '\0';
}

static void read_lines(int row, char *seen)
{
    int descriptor = openat(host_proc, rows[row].path, O_RDONLY | O_CLOEXEC), lines = 0;
    FILE *file = descriptor == -1 ? NULL : fdopen(descriptor, "r");
    const char *key = rows[row].key;
    char *line = NULL;
    size_t size = 0, used = 0;

    for (; file != NULL && getline(&line, &size, file) != -1; lines++) {
        size_t indent = strspn(line, " "), name = strcspn(line + indent, ":");
        if (rows[row].what == WORD && strncmp(line, key, strlen(key)) == 0) {
            char *word = line + strlen(key) + strspn(line + strlen(key), "\t");
            snprintf(seen, SEEN + 1, "%.*s", (int)strcspn(word, "\t \n"), word);
        }
        if (rows[row].what == NAMES && line[indent + name] == ':' && used < SEEN)
            used += (size_t)snprintf(seen + used, SEEN + 1 - used, "%s%.*s", used > 0 ? " " : "",
                                     (int)name, line + indent);
    }
    if (rows[row].what == LINES)
        snprintf(seen, SEEN + 1, "%d", lines > 0 ? lines - rows[row].headings : 0);
    free(line);
    if (file != NULL)
        fclose(file);
}

/* The mount of a /proc decides whose processes it shows. */
static void count_processes(char *seen, char *source)
{
    DIR *directory = opendir("/proc");
    struct dirent *entry;
    struct stat proc;
    int count = 0;

    while (directory != NULL && (entry = readdir(directory)) != NULL)
        count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
    if (directory != NULL)
        closedir(directory);
    snprintf(seen, SEEN + 1, count > 0 ? "%d" : "no /proc here", count);
    if (count > 0 && stat("/proc", &proc) == 0)
        snprintf(source, SEEN + 1, "%ju", (uintmax_t)proc.st_dev);
    else
        read_link("self/ns/pid", source);
}

static void look(struct view *view)
{
    struct stat root;
    char path[32];

    for (int i = 0; i < ROWS; i++) {
        char *seen = view->seen[i], *source = view->source[i];
        if (rows[i].namespace != NULL) {
            snprintf(path, sizeof(path), "self/ns/%s", rows[i].namespace);
            read_link(path, source);
        }
        if (rows[i].what == LINK) {
            read_link(rows[i].path, seen);
        } else if (rows[i].what == OWN_PID) {
            snprintf(seen, SEEN + 1, "%d", getpid());
        } else if (rows[i].what == PROCESSES) {
            count_processes(seen, source);
        } else if (rows[i].what == ROOT && stat("/", &root) == 0) {
            snprintf(seen, SEEN + 1, "inode %ju on %ju", (uintmax_t)root.st_ino,
                     (uintmax_t)root.st_dev);
            strcpy(source, seen);
        } else {
            read_lines(i, seen);
        }
        /* Two processes in the same user namespace may have different ones. */
        if (strcmp(rows[i].name, "capabilities") == 0)
            strcat(source, seen);
    }
}

void view_remember_host(void)
{
    host_proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (host_proc == -1 || faccessat(host_proc, "self/ns", F_OK, 0) == -1)
        die("--view needs the host's /proc");
    colour = isatty(STDOUT_FILENO);
    look(&host);
}

void view_in_place_of_command(void)
{
    static struct view box;

    if (host_proc == -1)
        return;
    look(&box);
    signals_reset(); /* if nobody reads the table, end by SIGPIPE, unless as PID 1 */
    printf("%-15s %-*s %-*s\n", "", SEEN, "HOST", SEEN, "BOX");
    for (int i = 0; i < ROWS; i++) {
        bool isolated = strcmp(host.source[i], box.source[i]) != 0;
        if (host.seen[i][0] == '\0' && box.seen[i][0] == '\0')
            continue; /* this kernel doesn't have it */
        printf("%-15s %-*s %-*s %s%s%s\n", rows[i].name, SEEN, host.seen[i], SEEN, box.seen[i],
               colour ? (isolated ? "\033[32m" : "\033[33m") : "", isolated ? "isolated" : "shared",
               colour ? "\033[0m" : "");
    }
    if (fflush(stdout) != 0)
        die("write");
    exit(EXIT_SUCCESS);
}
