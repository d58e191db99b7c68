/* Looking at a box that runs. ARGV[0] is the command's name; returns the tool's exit status. */
#ifndef INSPECT_H
#define INSPECT_H

int command_inspect(int argc, char **argv);

#endif
