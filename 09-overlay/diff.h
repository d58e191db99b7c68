/* What the writable layer holds beyond the layers below it: what was added, changed, deleted. */
#ifndef DIFF_H
#define DIFF_H

#include <stdbool.h>

/*
 * Either side. Print a line to standard output for each path below UPPER, a descriptor of an upper
 * directory: "A /new", "C /changed", "D /deleted", as docker diff does; directories come before
 * what is in them. BELOW is what overlay_below() returns. Control characters in names are printed
 * as "?". An error ends the tool.
 */
void diff_print(int upper, int below);

/* Either side. Is the open directory marked opaque: does nothing show through from below? */
bool diff_is_opaque(int directory);

/*
 * What is deleted, as images say it and as overlay does. In the tar of a layer an empty file
 * ".wh.NAME" stands for a NAME deleted below, and ".wh..wh..opq" for all that is below its
 * directory. Overlay has a character device 0:0 called NAME, and an attribute of the directory.
 *
 * Both ways lead through all directories of the layer that is the working directory; an error ends
 * the box.
 */

/* Box. Make overlay's whiteouts of the ".wh." files in the layer. The times of directories stay. */
void whiteouts_make(void);

/*
 * Box. The way back: write to TAR, as headers of empty files, the whiteouts of the layer. Returns a
 * file, which the caller closes, of the names of all else there, each with a zero byte, as tar
 * takes them.
 */
int whiteouts_write(int tar);

#endif
