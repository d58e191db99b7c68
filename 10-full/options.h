/* What 'full run' is asked for: docker's names and habits, so that fingers know them. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "../04-mnt/mount.h"
#include "capability.h"
#include "environment.h"
#include "rlimit.h"

/* Strings are borrowed from the command line or last until the end of the tool. */
struct run_options {
    const char *source;   /* an image of the store, or a directory */
    const char *name;     /* of the box; made up if not given */
    const char *hostname; /* as the name, if not given */
    const char *workdir;  /* NULL: the image's, or / */
    const char *user;     /* NULL: the image's, or root */
    const char *groups;   /* more of the user's, with "," between them */
    const char *network;  /* bridge, none or host */
    const char *address;  /* NULL: the first free one */
    const char **ports;   /* as --publish has them */
    int port_count;
    const char **dns; /* none: as the host */
    int dns_count;
    const char **hosts; /* as --add-host has them */
    int host_count;
    struct bind *volumes; /* a NULL source stands for a tmpfs */
    int volume_count;
    long long shm_size;                               /* bytes; 0: as chapter 4 makes it */
    struct environment environment, file_environment; /* the latter is part of the former */
    struct rlimits limits;
    struct capability_choice capabilities;
    const char *cpus, *cpuset, *memory, *pids; /* as chapter 8 takes them; NULL: no limit */
    int stop_signal;                           /* 0: the image's, or SIGTERM */
    int stop_timeout;                          /* seconds */
    int64_t boot_offset;                       /* seconds to add to the boot clock */
    bool detach, interactive, terminal, remove, read_only, init, view;
    bool keep; /* stays listed after its end: named or detached, and not --rm */
    bool has_offset;
    bool seccomp;           /* install the filter */
    bool user_namespace;    /* a user namespace of its own */
    const char *entrypoint; /* the first word of COMMAND, in place of the image's; NULL: as there */
    char **command;         /* NULL: the image's own, or /bin/sh */
};

/* Host. ARGV[0] is "run". Mistakes end the tool. */
struct run_options parse_run_options(int argc, char **argv);

#endif
