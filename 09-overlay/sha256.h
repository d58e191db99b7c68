/*
 * SHA-256 without a library: the kernel's own, over an AF_ALG socket, where it is built in;
 * otherwise the program openssl or sha256sum of this machine.
 */
#ifndef SHA256_H
#define SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { SHA256_HEX = 64 };

/* A process that reads what is hashed from a pipe, and tells the digest at its end. */
struct sha256 {
    pid_t process;
    int input; /* write to it, or let a pump write; sha256_end() closes it */
    int output;
};

/* Host. Start one. Returns 0, or a negative errno after saying what is wrong. */
int sha256_start(struct sha256 *sum);

/*
 * Host. Close the input, wait, and put the digest into HEX as 64 hexadecimal digits. Returns 0, or
 * a negative errno after saying what is wrong.
 */
int sha256_end(struct sha256 *sum, char hex[SHA256_HEX + 1]);

/* Host. The digest of LENGTH bytes at DATA. Returns as sha256_end(). */
int sha256_of(const void *data, size_t length, char hex[SHA256_HEX + 1]);

/* Either side. Is TEXT, which may be longer, 64 digits as sha256_end() writes them, and then END?
 */
bool sha256_is_hex(const char *text, char end);

#endif
