/* Numbers on the command line. */
#ifndef NUMBER_H
#define NUMBER_H

/* Host. TEXT as a whole number from MIN to MAX. Anything else ends the tool; WHAT names it. */
long long tool_number(const char *text, const char *what, long long min, long long max);

#endif
