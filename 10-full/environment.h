/* The variables and the working directory that a command in a box begins with. */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

/* Host. Add "NAME=VALUE" to LIST, or "NAME" with the value that it has here. Mistakes end the tool.
 */
void environment_add(char ***list, const char *text);

/*
 * Host. The same for each line of the file PATH, as docker reads it: blank lines and those that
 * begin with "#" are passed over, and what comes behind "=" is the value, quotes included.
 */
void environment_add_file(char ***list, const char *path);

/*
 * Box. The environment passes through every layer of isolation (chapter 1), so make it anew: PATH,
 * HOME, HOSTNAME and TERM, and what is in LIST, where later ones count.
 */
void environment_set(char **list, const char *hostname, const char *home);

/*
 * Box. Go to DIRECTORY, "/" if NULL or empty, and make sure that it lies in the root. Errors end
 * the tool.
 */
void environment_enter(const char *directory);

#endif
