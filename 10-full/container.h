/* The container: the layers of all chapters around one command. */
#ifndef CONTAINER_H
#define CONTAINER_H

#include "options.h"

/* Host. Run the box to its end. Returns the exit status that the tool should have. */
int container_run(const struct run_options *options);

#endif
