/*
 * The observer behind --view: what one process sees of the system, the host beside the box.
 *
 * It asks the kernel, not the tool: the same questions on both sides, then row by row whether the
 * answer comes from the same thing (the same namespace, the same directory) or from another.
 */
#ifndef VIEW_H
#define VIEW_H

/* Host. Look at the system as it is now. From then on view_in_place_of_command() prints. */
void view_remember_host(void);

/* Box. If the host was looked at: look again, print the two views side by side and end with 0. */
void view_in_place_of_command(void);

#endif
