/*
 * The commands for images, which chapter 9 keeps. Each takes its own command line, ARGV[0] being
 * its name, runs on the host, and returns the tool's exit status; mistakes end the tool.
 */
#ifndef IMAGES_H
#define IMAGES_H

int command_load(int argc, char **argv);
int command_images(int argc, char **argv);
int command_rmi(int argc, char **argv);
int command_history(int argc, char **argv);
int command_save(int argc, char **argv);
int command_commit(int argc, char **argv);

#endif
