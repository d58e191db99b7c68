/* Numbers and lines as text: what users write, and what the kernel does. */
#ifndef NUMBER_H
#define NUMBER_H

#include <stddef.h>

/* Host. TEXT as a whole number from MIN to MAX. Anything else ends the tool; WHAT names it. */
long long tool_number(const char *text, const char *what, long long min, long long max);

/* Either side. Read PATH's first line into LINE, without the newline; "" if it can't be read. */
void first_line(const char *path, char *line, size_t size);

#endif
