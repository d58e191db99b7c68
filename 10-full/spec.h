/*
 * What a box is, in one structure: filled from the command line of 'full run', completed by the
 * image, written as the box's state (the fields of spec.c's table), and read back by the commands
 * that come later.
 */
#ifndef SPEC_H
#define SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "../04-mnt/mount.h"
#include "../06-user/idmap.h"
#include "../07-net/claim.h"
#include "../07-net/network.h"
#include "../08-cgroup/cgroup.h"
#include "capability.h"
#include "layers.h"

enum { STREAMS = 3 };

/* Lists end with NULL; a NULL in place of a list is an empty one. Strings last until the end. */
struct spec {
    /* Stored in its state file, and printed by --json: the table in spec.c. Read back, no text is
     * NULL. */
    const char *name, *hostname;
    const char *source;            /* an image of the store, or a directory */
    const char *image;             /* the ID of the image that SOURCE names */
    const char *layer;             /* where its upper layer lies, if that is kept on a disk */
    const char *entrypoint;        /* the first word of COMMAND, in place of the image's */
    const char *user, *workdir;    /* NULL or "": root, "/" */
    const char *network, *address; /* bridge, none or host; that of its link */
    const char *cgroup;            /* the directory of its control group, if it has one */
    char **command, **environment, **groups; /* the latter: more of the user's */
    char **ports;                            /* published, as --publish has them */
    char **mounts, **ulimits;                /* volumes and tmpfs, and limits, as asked for */
    bool running;                            /* when read back, whether its claim is locked */
    bool keep; /* stays listed after its end: named or detached, and not --rm */
    bool detach, interactive, tty, rm, read_only, init, user_namespace, seccomp;
    uint32_t first_id; /* the host's id for user 0 of the box, if it has a range of its own */
    uint64_t capabilities, namespaces; /* the latter as the flags of clone3(2) */
    int stop_signal, stop_timeout;     /* what 'full stop' sends, and how many seconds it waits */
    pid_t pid, monitor;                /* its first process, and that one's parent, which waits */
    uint64_t pid_namespace;            /* the inode of the namespace that both are counted in */
    int64_t created, ended;            /* seconds since 1970; ENDED is 0 while it runs */
    int status;                        /* of its command; -1 until that has ended */

    /* Where its directory and its claim lie, and what state_open() has opened: see state.h. */
    const char *home, *claims;
    int process, keeper, ending;

    /* Other options of 'full run'. */
    char **variables;     /* of --env-file */
    struct bind *volumes; /* a NULL source stands for a tmpfs */
    int volume_count;
    char **hosts;                      /* as --add-host has them */
    const char *limited[RLIM_NLIMITS]; /* by ULIMITS: the names of these limits, or NULL */
    struct rlimit limits[RLIM_NLIMITS];
    uint64_t cap_add, cap_drop;
    bool is_named, view;

    /* The result, in the terms of the chapters. */
    struct id_map user_map, group_map; /* 06 */
    bool mapped;             /* 09: the box sees root and volumes through idmapped mounts */
    bool linked;             /* 07: has a link to the bridge */
    struct network net;      /* 07: its settings */
    char *resolv;            /* 07: the text of /etc/resolv.conf; NULL or "": as in the root */
    bool grouped;            /* 08: a cgroup of its own */
    int streams[STREAMS];    /* its standard input, output and error; 0: as the tool's */
    struct layers layers;    /* 09 */
    struct cgroup_plan plan; /* 08; last because it is large and mostly empty */
};

/* Either side. Append TEXT itself to *LIST; and all texts of MORE. */
void list_add(char ***list, const char *text);
void list_add_all(char ***list, char *const *more);

/* Either side. The words of LIST with blanks between them; to be freed. */
char *list_join(char *const *list);

/* Host. The number of the signal TEXT: a name in either case, with or without "SIG", such as TERM,
 * sigusr1 or RTMIN+3, or a number. Anything else ends the tool; WHAT names it. signal(7) */
int signal_number(const char *text, const char *what);

/*
 * Host, for 'full run'. Find the root and, for an image, its settings for the command; fill in the
 * defaults. Nothing that must be undone is made yet. Returns 0 or, after report(), -errno.
 */
int spec_complete(struct spec *spec);

/* Host. Set the field of the table that has the name of an OPTION: to TEXT or, if that is NULL, a
 * flag. False if there is none. */
bool spec_set(struct spec *spec, const char *option, const char *text);

/* Host. Write the fields of the table as a JSON object. */
void spec_write(const struct spec *spec, FILE *file);

/* Host. Read it back from the file PATH, except the name. A field, or the file, that is missing or
 * malformed is as if empty. Returns 0 or, after report(), -errno. */
int spec_read(struct spec *spec, const char *path);

#endif
