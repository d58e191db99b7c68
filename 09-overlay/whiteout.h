/*
 * What is deleted, as images tell it and as overlay does. In the tar of a layer an empty file
 * ".wh.NAME" stands for a NAME deleted below, and ".wh..wh..opq" for all that is below its
 * directory. Overlay has a character device 0:0 called NAME, and an attribute of the directory.
 */
#ifndef WHITEOUT_H
#define WHITEOUT_H

#include <stddef.h>

/* A list of names, each with its zero byte, LENGTH bytes in all; to be freed. */
struct whiteouts {
    char *names;
    size_t length;
};

/*
 * Either side. Pass the tar of a layer on from INPUT to OUTPUT, which are closed at the end, and
 * gather the whiteouts in it by their names alone: whatever a member ".wh.…" is, what counts is
 * what it is called. If OUTPUT's reader has gone, the rest is not read.
 */
struct whiteouts whiteouts_pass(int input, int output);

/*
 * Either side. Make overlay's whiteouts, in the layer that is the working directory, of those that
 * were gathered. The times of directories stay. Returns 0, or a negative errno after saying what is
 * wrong.
 */
int whiteouts_make(const struct whiteouts *whiteouts);

/*
 * Either side. The way back: write to TAR, as headers of empty files, the whiteouts of the layer
 * that is the working directory. Returns a file, which the caller closes, of the names of all else
 * there, each with a zero byte, as tar takes them; or a negative errno after saying what is wrong.
 */
int whiteouts_write(int tar);

#endif
