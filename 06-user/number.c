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
        fail("%s: '%s' is not a whole number", what, text);
    if (errno == ERANGE || number < min || number > max)
        fail("%s: %s is not between %lld and %lld", what, text, min, max);
    return number;
}
