/* What a group has used, and how often it hit a limit. */
#ifndef USAGE_H
#define USAGE_H

/* Host. Seconds since some fixed moment. */
double usage_clock(void);

/*
 * Host. Print a table to FILE, headed by TITLE: what the group in the directory GROUP has used in
 * SECONDS, beside its limits. WHEN is "current" or "peak", for memory and processes.
 */
void usage_print(int file, const char *title, const char *group, double seconds, const char *when);

#endif
