/* File descriptors that travel from process to process: unix(7), SCM_RIGHTS. */
#ifndef DESCRIPTOR_H
#define DESCRIPTOR_H

enum { DESCRIPTORS = 253 }; /* that one message takes: SCM_MAX_FD of the kernel */

/*
 * Either side. Send COUNT descriptors in one message through SOCKET, such as the one that spawn()
 * leaves in struct child. The sender keeps its own. Returns 0, or -errno after report().
 */
int descriptors_send(int socket, const int *descriptors, int count);

/*
 * Either side. Wait for COUNT descriptors. They are close-on-exec, and the caller's to close.
 * Returns 0, or -errno: without report() if the other side has ended instead, as it has reported
 * why.
 */
int descriptors_receive(int socket, int *descriptors, int count);

#endif
