/* What 'full run' is asked for. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

#include "../04-mnt/mount.h"

struct run_options {
    const char *root; /* the directory that becomes the root */
    const char *hostname;
    const char *workdir;
    struct bind *volumes;
    int volume_count;
    char **environment; /* NAME=VALUE, each allocated by the parser or borrowed from argv */
    int environment_count;
    bool read_only;
    bool init;
    char **command;
};

/* Host. ARGV[0] is "run". Mistakes end the tool. */
struct run_options parse_run_options(int argc, char **argv);

#endif
