/*
 * The commands for boxes that 'full run' has made. Each takes its own command line, ARGV[0] being
 * its name, runs on the host, and returns the tool's exit status; mistakes end the tool.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

int command_ps(int argc, char **argv);
int command_logs(int argc, char **argv);
int command_stop(int argc, char **argv);
int command_kill(int argc, char **argv);
int command_wait(int argc, char **argv);
int command_rm(int argc, char **argv);

#endif
