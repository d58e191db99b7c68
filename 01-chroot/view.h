/*
 * The observer behind --view: what a process sees of the system, the host beside the box.
 *
 * It asks the kernel, not the tool: the same questions on both sides. Then it compares, row by row,
 * whether the answers come from the same namespace or directory.
 */
#ifndef VIEW_H
#define VIEW_H

/* Host. Record the system as it is now. From then on view_in_place_of_command() prints. */
void view_remember_host(void);

/* Box. If the host was recorded, look again, print both views side by side and exit with 0. */
void view_in_place_of_command(void);

#endif
