/* The command line of the tool of this chapter. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

#include "network.h"

struct net_options {
    bool none;
    const char *name, *join; /* NULL if not asked for */
    struct network network;
    char **command;
};

/* Host. Read the command line. A mistake ends the tool. */
void net_options(struct net_options *options, int argc, char **argv);

#endif
