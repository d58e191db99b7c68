/*
 * What is deleted, as images tell it and as overlay does. In the tar of a layer an empty file
 * ".wh.NAME" stands for a NAME deleted below, and ".wh..wh..opq" for all that is below its
 * directory. Overlay has a character device 0:0 called NAME, and an attribute of the directory.
 */
#ifndef WHITEOUT_H
#define WHITEOUT_H

#include <stddef.h>

/*
 * Either side. Turn an image's whiteouts in DIRECTORY and below into overlay's. The times of
 * directories stay. Never follows a symbolic link. Returns 0, or a negative errno after saying what
 * is wrong.
 */
int whiteouts_from_image(const char *directory);

/*
 * Either side. The other way round: the paths, relative to the open DIRECTORY, of the files ".wh.…"
 * that tell in an image what overlay's marks below DIRECTORY do. Each ends with a zero byte; all
 * are LENGTH bytes, to be freed. Returns NULL after saying what is wrong.
 */
char *whiteouts_for_image(int directory, size_t *length);

#endif
