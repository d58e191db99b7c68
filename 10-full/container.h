/* The host's side of a container, from clone3(2) to the last trace of the box removed. */
#ifndef CONTAINER_H
#define CONTAINER_H

#include "spec.h"

/* Host. Run the box to its end. Returns the exit status that the tool should have. */
int container_run(struct spec *spec);

#endif
