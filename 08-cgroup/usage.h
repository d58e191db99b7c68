/* What a group has used, and how often a limit held it back. */
#ifndef USAGE_H
#define USAGE_H

/* Host. Seconds since some fixed moment. */
double usage_clock(void);

/*
 * Host. Print to FILE a table, headed by TITLE, of what the group whose directory is GROUP has used
 * in SECONDS, beside its limits. WHEN is "current" for memory and processes as they are now, or
 * "peak".
 */
void usage_print(int file, const char *title, const char *group, double seconds, const char *when);

#endif
