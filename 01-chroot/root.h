/* A root directory of its own: the oldest layer of isolation, chroot(2), from 1979. */
#ifndef ROOT_H
#define ROOT_H

/*
 * Box. Make DIRECTORY the root of every path that this process and its children look up, and go
 * there, because chroot(2) leaves the working directory outside. An error ends the tool.
 */
void root_enter(const char *directory);

#endif
