/* 'full exec': one more command in a box that runs. */
#ifndef JOIN_H
#define JOIN_H

/* Host. ARGV[0] is "exec". Returns the exit status that the tool should have. */
int command_exec(int argc, char **argv);

#endif
