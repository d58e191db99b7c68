#include "sha256.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

enum { BLOCK = 64 };

/* The fractional parts of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t word, int bits)
{
    return word >> bits | word << (32 - bits);
}

/* One of the 64 rounds; what is a in this round is b in the next one, and so on. */
static inline void mix(uint32_t v[8], int round, uint32_t word)
{
    uint32_t a = v[-round & 7], b = v[(1 - round) & 7], c = v[(2 - round) & 7];
    uint32_t e = v[(4 - round) & 7], f = v[(5 - round) & 7], g = v[(6 - round) & 7];
    uint32_t *h = &v[(7 - round) & 7];

    *h += (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + word;
    v[(3 - round) & 7] += *h;
    *h += (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
}

/* Add all whole blocks of the LENGTH bytes at DATA. */
static void add(uint32_t state[8], const unsigned char *data, size_t length)
{
    uint32_t w[64], v[8];

    for (; length >= BLOCK; length -= BLOCK) {
        for (int i = 0; i < 16; i++, data += 4)
            w[i] = (uint32_t)data[0] << 24 | data[1] << 16 | data[2] << 8 | data[3];
        for (int i = 16; i < 64; i++) {
            uint32_t near = w[i - 2], far = w[i - 15];
            w[i] = w[i - 16] + (rotate(far, 7) ^ rotate(far, 18) ^ far >> 3) + w[i - 7] +
                   (rotate(near, 17) ^ rotate(near, 19) ^ near >> 10);
        }
        memcpy(v, state, sizeof(v));
        for (int i = 0; i < 64; i += 8) /* eight in a row: so the compiler keeps v in registers */
            for (int j = 0; j < 8; j++)
                mix(v, j, constants[i + j] + w[i + j]);
        for (int i = 0; i < 8; i++)
            state[i] += v[i];
    }
}

/* The fractional parts of the square roots of the first 8 primes. */
static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* Of TOTAL bytes those at REST fill no block. Behind them stand one bit, zeros up to a full block,
 * and the length in bits. */
static void end(uint32_t state[8], const void *rest, uint64_t total, char hex[SHA256_HEX + 1])
{
    unsigned char last[2 * BLOCK] = "";
    size_t used = total % BLOCK, size = used < BLOCK - 8 ? BLOCK : 2 * BLOCK;

    memcpy(last, rest, used);
    last[used] = 0x80;
    for (int i = 0; i < 8; i++)
        last[size - 1 - i] = (unsigned char)(total * 8 >> 8 * i);
    add(state, last, size);
    for (int i = 0; i < 8; i++)
        sprintf(hex + (size_t)8 * i, "%08x", state[i]);
}

void sha256_of(const void *data, size_t length, char hex[SHA256_HEX + 1])
{
    uint32_t state[8];

    memcpy(state, start, sizeof(state));
    add(state, data, length);
    end(state, (const char *)data + length - length % BLOCK, length, hex);
}

/* Each read goes behind what the one before has left of a block. */
off_t sha256_pump(int from, int to, char *hex)
{
    static unsigned char bytes[(1 << 18) + BLOCK];
    uint32_t state[8];
    off_t done = 0;
    size_t rest = 0;
    ssize_t got;

    memcpy(state, start, sizeof(state));
    while ((got = read(from, bytes + rest, sizeof(bytes) - BLOCK)) > 0) {
        for (ssize_t at = 0, written; to != -1 && at < got; at += written)
            if ((written = write(to, bytes + rest + at, (size_t)(got - at))) == -1) {
                if (errno != EPIPE)
                    return report("write");
                to = -1;
            }
        size_t length = rest + (size_t)got;
        if (hex != NULL)
            add(state, bytes, length);
        done += got;
        rest = length % BLOCK;
        memmove(bytes, bytes + length - rest, rest);
    }
    if (hex != NULL)
        end(state, bytes, (uint64_t)done, hex);
    return got == 0 ? done : report("read");
}

bool sha256_is_hex(const char *text, char end)
{
    return strspn(text, "0123456789abcdef") == SHA256_HEX && text[SHA256_HEX] == end;
}
