/*
 * What is deleted, as images say it and as overlay does. In the tar of a layer an empty file
 * ".wh.NAME" stands for a NAME deleted below, and ".wh..wh..opq" for all that is below its
 * directory. Overlay has a character device 0:0 called NAME, and an attribute of the directory.
 *
 * Both ways lead through all directories of the layer that is the working directory; an error ends
 * the box.
 */
#ifndef WHITEOUT_H
#define WHITEOUT_H

/* Box. Make overlay's whiteouts of the ".wh." files in the layer. The times of directories stay. */
void whiteouts_make(void);

/*
 * Box. The way back: write to TAR, as headers of empty files, the whiteouts of the layer. Returns a
 * file, which the caller closes, of the names of all else there, each with a zero byte, as tar
 * takes them.
 */
int whiteouts_write(int tar);

#endif
