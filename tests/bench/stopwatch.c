/*
 * stopwatch: how long commands take, in turns.
 *
 *     stopwatch RUNS PAUSE COMMAND [ARG]... [::: COMMAND [ARG]...]...
 *
 * Runs the commands in turns, RUNS times each, with a pause of so many milliseconds before each
 * run, and prints a line for each with the median and the shortest time in microseconds. So
 * whatever else the machine is doing slows all of them alike. A command that fails ends it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_COMMANDS = 16 };

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static double measure(char **command)
{
    int status = 0;
    pid_t pid;
    if (command[0] == NULL)
        exit(2);
    double start = now();
    errno = posix_spawnp(&pid, command[0], NULL, NULL, command, environ);
    if (errno != 0 || waitpid(pid, &status, 0) == -1) {
        perror(command[0]);
        exit(1);
    }
    double end = now();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "stopwatch: %s: wait status %#x\n", command[0], (unsigned)status);
        exit(1);
    }
    return end - start;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    char **commands[MAX_COMMANDS];
    size_t count = 0;

    if (argc < 4)
        return 2;
    size_t runs = (size_t)atol(argv[1]);
    long pause = atol(argv[2]);
    const struct timespec moment = {pause / 1000, pause % 1000 * 1000000};
    commands[count++] = argv + 3;
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], ":::") != 0)
            continue;
        argv[i] = NULL;
        if (count == MAX_COMMANDS)
            return 2;
        commands[count++] = argv + i + 1;
    }
    double *times = calloc(runs * MAX_COMMANDS, sizeof(*times));
    if (times == NULL || runs == 0)
        return 2;
    for (size_t run = 0; run <= runs; run++) { /* the first time is for the caches */
        for (size_t i = 0; i < count; i++) {
            nanosleep(&moment, NULL);
            double time = measure(commands[i]);
            if (run > 0)
                times[i * runs + run - 1] = time;
        }
    }
    for (size_t i = 0; i < count; i++) {
        qsort(times + i * runs, runs, sizeof(*times), by_size);
        printf("%.0f %.0f\n", times[i * runs + runs / 2], times[i * runs]);
    }
    return 0;
}
