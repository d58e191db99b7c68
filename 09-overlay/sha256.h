/* SHA-256, by which images name what is in them: FIPS 180-4. */
#ifndef SHA256_H
#define SHA256_H

#include <stdbool.h>
#include <sys/types.h>

enum { SHA256_HEX = 64 };

/* Either side. The digest of LENGTH bytes at DATA: 64 hexadecimal digits. */
void sha256_of(const void *data, size_t length, char hex[SHA256_HEX + 1]);

/*
 * Either side. All that can be read from FROM goes to TO, unless that is -1, and its digest into
 * HEX, unless that is NULL; also when nobody reads TO any more. Returns how many bytes there were,
 * or -errno after report().
 */
off_t sha256_pump(int from, int to, char *hex);

/* Either side. Is TEXT, which may be longer, such digits, and then END? */
bool sha256_is_hex(const char *text, char end);

#endif
