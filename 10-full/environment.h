/* The variables and the working directory that a command in a box begins with. */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

/* What --env asks for, and an image. Later ones count. Begins as {0}. */
struct environment {
    char **variables; /* NAME=VALUE, borrowed or lasting until the end of the tool */
    int count;
};

/* Host. Note "NAME=VALUE", or "NAME" with the value that it has here. Mistakes end the tool. */
void environment_add(struct environment *environment, char *text);

/*
 * Host. The same for each line of the file PATH, as docker reads it: blank lines and those that
 * begin with "#" are passed over, and what comes behind "=" is the value, quotes included.
 */
void environment_add_file(struct environment *environment, const char *path);

/* Either side. Add all of MORE, which then counts. */
void environment_append(struct environment *environment, const struct environment *more);

/*
 * Box. The environment passes through every layer of isolation (chapter 1), so make it anew: PATH,
 * HOME, HOSTNAME and TERM, and what is noted.
 */
void environment_set(const struct environment *environment, const char *hostname, const char *home);

/*
 * Host. Write ENVIRONMENT to PATH for people to read: a line each, a new line in a value as "\\n"
 * and a backslash as two. Read it again; without a file it is empty. 0 or, after report(), -errno.
 */
int environment_write(const struct environment *environment, const char *path);
struct environment environment_read(const char *path);

/*
 * Box. Go to DIRECTORY, "/" if NULL or empty, and make sure that it lies in the root. Errors end
 * the tool.
 */
void environment_enter(const char *directory);

#endif
