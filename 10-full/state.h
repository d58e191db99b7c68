/*
 * What is known about each box, for the commands that come after 'run': a directory per box below
 * /run/ten-steps/boxes (for an ordinary user below $XDG_RUNTIME_DIR), in readable text.
 *
 *   NAME/lock    locked by the monitor for as long as it lives: the kernel lets go of it, whatever
 *                ends the monitor, so it tells alive from dead where a pid could lie. As it ends,
 *                the monitor writes the exit status there, for who has it open and waits
 *   NAME/state   KEY VALUE lines; written whole under another name and then renamed
 *   NAME/environment   the variables that its command was given, for 'exec'
 *   NAME/log     what a detached box prints
 *
 * All functions run on the host and return -errno after report(), or a value as described.
 */
#ifndef STATE_H
#define STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "../09-overlay/sha256.h"

enum { NAME_SIZE = 64, LONGEST_STOP = 2000000 /* seconds, as milliseconds in an int */ };

struct state {
    char name[NAME_SIZE];
    char hostname[NAME_SIZE + 1]; /* of the box */
    char source[1024];            /* the image's name, or the root directory */
    char command[1024];           /* for people to read */
    char user[256];               /* who it runs as, "" for root */
    char groups[256];             /* more groups of it, names or numbers with "," between them */
    char workdir[1024];           /* and where, "" for "/" */
    char address[32];             /* of eth0, "" without a network of its own */
    char ports[1280];             /* published, as --publish has them, separated by blanks */
    char cgroup[1024];            /* its directory, "" for none */
    char layer[1024];             /* the directory of the upper layer, "" if that is thrown away */
    char image[SHA256_HEX + 1];   /* the ID of the image that source names, "" for a directory */
    pid_t pid;             /* of the box's first process, seen from the host; 0 until that runs */
    uint64_t born;         /* its start time, field 22 of /proc/PID/stat: pids are used again */
    uint64_t capabilities; /* of the box's root, bit by bit */
    bool seccomp;          /* is the filter on? */
    bool user_namespace;   /* does it have one of its own? */
    uint32_t first_id;     /* the host's id for user 0 of the box; 0 without a user namespace */
    int stop_signal;       /* what 'stop' sends to its first process */
    int stop_timeout;      /* seconds that it then has before SIGKILL */
    time_t created;        /* seconds since 1970 */
    time_t ended;          /* 0 while it runs */
    int status;            /* the exit status, once it has ended */
    bool keep;             /* stays listed after its end, until 'rm' */
    bool alive;            /* not in the file: is the lock held? */
};

/* The directory of all state, "/run/ten-steps" for root. It is there while there are boxes. */
const char *state_home(void);

/* A path below the box's directory into PATH. */
void state_path(const char *name, const char *file, char *path, size_t size);

/* TEXT may be the name of a box: 1 to 63 letters, digits, "_", "." and "-", the first no sign. */
bool state_name_is_valid(const char *name);

/*
 * Begin a box: make its directory and take its lock, which this process then holds to its end.
 * Before that, what boxes have left that are dead is cleared away. Returns a descriptor of the
 * lock, or -EEXIST and the like.
 */
int state_begin(const char *name);

/* Write STATUS into LOCK, which state_begin() has returned. */
int state_tell(int lock, int status);

/*
 * The process that holds the lock of the box NAME, its monitor; 0 if nobody does; -1 if it is in a
 * pid namespace above and has no number in ours.
 */
pid_t state_monitor(const char *name);

/* Write STATE, all of it or nothing. */
int state_write(const struct state *state);

/* Read the state of NAME and see whether it lives. -ENOENT (reported) if there is no such box. */
int state_read(const char *name, struct state *state);

/*
 * The same, but wait for a box that is just being made: until its command runs, it has no pid, and
 * nobody may enter it, as its root is still the host's. -ETIMEDOUT (reported) after five seconds;
 * -EINVAL (reported) for one whose monitor has no number here.
 */
int state_await(const char *name, struct state *state);

/*
 * The first process of the box as a descriptor, pidfd_open(2), to be closed; -1 if it has ended:
 * its pid may be another process's by now.
 */
int state_process(const struct state *state);

/* The names of all boxes, sorted; *NAMES is allocated, with each name. Returns how many. */
int state_list(char ***names);

/*
 * For a monitor: forget its box, which has ended: its directory, where it kept one its upper layer,
 * and with the last box all that is here.
 */
int state_forget(const struct state *state);

/* For others: the same, unless the name is a living box's by now. */
int state_forget_ended(const struct state *state);

/*
 * What killed monitors have left: forget the boxes that nobody asked to keep, and write down the
 * end of the others. Every command calls it first.
 */
void state_clear_dead(void);

/* The start time of PID as in struct state, 0 if there is no such process. */
uint64_t state_birth(pid_t pid);

#endif
