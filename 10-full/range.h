/*
 * The users of a box as the host counts them: each box that root starts gets a range of 65536 ids
 * that nobody else has, so that no process of it owns anything outside, nor in another box.
 */
#ifndef RANGE_H
#define RANGE_H

#include <stdint.h>

enum { RANGE_IDS = 65536 };

/*
 * Host. The first id of a range that is free. It is this process's until it ends, by a lock on
 * one byte of a file: nothing has to be given back. An error ends the tool.
 */
uint32_t range_take(void);

#endif
