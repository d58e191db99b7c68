#include "sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_alg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "pump.h"

/* The kernel's hash: what is written to the descriptor is hashed; read(2) then gives the digest. */
static int kernel_hash(void)
{
    struct sockaddr_alg name = {.salg_family = AF_ALG, .salg_type = "hash", .salg_name = "sha256"};
    int transform = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (transform == -1)
        return -1;
    int hash = -1;
    if (bind(transform, (struct sockaddr *)&name, sizeof(name)) == 0)
        hash = accept4(transform, NULL, NULL, SOCK_CLOEXEC);
    close(transform);
    return hash;
}

/* Standard input to standard output, through the kernel's hash. splice(2) copies nothing. */
static void hash_by_kernel(int hash)
{
    unsigned char digest[SHA256_HEX / 2];
    ssize_t got;

    do
        got = splice(STDIN_FILENO, NULL, hash, NULL, 1 << 20, SPLICE_F_MORE);
    while (got > 0);
    if (got == -1 || send(hash, NULL, 0, 0) == -1 ||
        read(hash, digest, sizeof(digest)) != sizeof(digest))
        die("hash by the kernel");
    for (size_t i = 0; i < sizeof(digest); i++)
        printf("%02x", digest[i]);
    exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_TOOL);
}

static noreturn void hash_standard_input(void)
{
    int hash = kernel_hash();

    if (hash != -1)
        hash_by_kernel(hash);
    execlp("openssl", "openssl", "dgst", "-sha256", "-r", (char *)NULL);
    execlp("sha256sum", "sha256sum", (char *)NULL);
    hint("this kernel has no AF_ALG hashes, and neither openssl nor sha256sum is installed");
    die("sha256");
}

int sha256_start(struct sha256 *sum)
{
    int to[2], from[2];

    if (pump_pipe(to) != 0)
        return -errno;
    if (pump_pipe(from) != 0) {
        close(to[0]);
        close(to[1]);
        return -errno;
    }
    sum->input = to[1];
    sum->output = from[0];
    sum->process = process_start((int[]){to[0], from[1]}, 2);
    if (sum->process == 0)
        hash_standard_input();
    close(to[0]);
    close(from[1]);
    return sum->process == -1 ? report("fork") : 0;
}

int sha256_end(struct sha256 *sum, char hex[SHA256_HEX + 1])
{
    ssize_t got, length = 0;

    close(sum->input);
    while (length < SHA256_HEX &&
           (got = read(sum->output, hex + length, (size_t)(SHA256_HEX - length))) > 0)
        length += got;
    close(sum->output);
    hex[length] = '\0';
    int status = process_wait(sum->process);
    if (status == EXIT_TOOL) /* it has said why */
        return -EIO;
    if (status != 0 || !sha256_is_hex(hex, '\0'))
        return refuse("the program that computes sha256 digests has failed");
    return 0;
}

int sha256_of(const void *data, size_t length, char hex[SHA256_HEX + 1])
{
    struct sha256 sum;
    int error = sha256_start(&sum);

    if (error != 0)
        return error;
    const char *rest = data;
    void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* if nobody reads, sha256_end() knows why */
    while (length > 0) {
        ssize_t written = write(sum.input, rest, length);
        if (written == -1)
            break; /* then the digest is not that of the data, or sha256_end() fails */
        rest += written;
        length -= (size_t)written;
    }
    signal(SIGPIPE, before);
    error = sha256_end(&sum, hex);
    return error == 0 && length > 0 ? refuse("sha256: not all could be read") : error;
}

bool sha256_is_hex(const char *text, char end)
{
    return strspn(text, "0123456789abcdef") == SHA256_HEX && text[SHA256_HEX] == end;
}
