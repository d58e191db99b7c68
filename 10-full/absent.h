/* Options that docker has and 'full run' doesn't. */
#ifndef ABSENT_H
#define ABSENT_H

/*
 * Host. getopt(3) has just reported an error in WORD, which is "--NAME[=VALUE]" or has the letter
 * in optopt. If that option is one of docker's, end the tool with a hint at what to use; else
 * return.
 */
void absent_option(const char *word);

#endif
