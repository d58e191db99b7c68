#include "number.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "../01-chroot/tool.h"

long long tool_number(const char *text, const char *what, long long min, long long max)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    bool starts_well = (text[0] >= '0' && text[0] <= '9') || text[0] == '-';
    if (!starts_well || *end != '\0')
        fail("invalid %s '%s': expected a whole number", what, text);
    if (errno == ERANGE || number < min || number > max)
        fail("invalid %s '%s': expected %lld to %lld", what, text, min, max);
    return number;
}
