/*
 * Helper processes, and the pipes between them. A layer runs from the image's file through a
 * decompressor into tar, and on the way into a digest as well: each is a process, so they run side
 * by side, and the kernel moves the bytes from pipe to pipe without copying them. splice(2), tee(2)
 */
#ifndef PUMP_H
#define PUMP_H

#include <stdint.h>
#include <sys/types.h>

/* Host. A close-on-exec pipe with a large buffer. Returns 0 or -errno, after saying what is wrong.
 */
int pump_pipe(int ends[2]);

/*
 * Host. Fork. The child, for which 0 is returned, has DESCRIPTORS[0] as standard input,
 * DESCRIPTORS[1] as standard output, the others of COUNT as 3, 4, …, and no more; -1 leaves a
 * standard one as it is. It is killed when its parent dies. Returns -1 with errno if fork(2) fails.
 */
pid_t process_start(const int *descriptors, int count);

/* The same placing for a process that is already there, such as a box. An error ends it. */
void place_descriptors(const int *descriptors, int count);

/* Host. Wait for PROCESS. Returns its exit status, or 128+N if signal N killed it. */
int process_wait(pid_t process);

/* What to pump: SIZE bytes from OFFSET of a file, or, if OFFSET is -1, a pipe to its end. */
struct pump {
    int input;
    off_t offset, size;
    int output;
    int second;         /* gets the same bytes; -1: none */
    uint64_t *progress; /* counts the bytes, in memory shared by the processes; may be NULL */
};

/*
 * Host. Start a process that pumps. It ends with 0 when it has read all, even if the reader of an
 * output has gone: why, the reader has to tell. The descriptors stay the caller's, to close.
 * Returns its pid, or a negative errno after saying what is wrong.
 */
pid_t pump_start(const struct pump *pump);

#endif
