/* File descriptors that travel from process to process: unix(7), SCM_RIGHTS. */
#ifndef DESCRIPTOR_H
#define DESCRIPTOR_H

enum { DESCRIPTORS = 253 }; /* that one message takes: SCM_MAX_FD of the kernel */

/*
 * Either side. Send COUNT descriptors in one message through SOCKET, such as the one that spawn()
 * leaves in struct child; or wait for them: they are close-on-exec, and the caller's to close. Both
 * return 0, or -errno: without report() if the other side has ended, as it has reported why.
 */
int descriptors_send(int socket, const int *descriptors, int count);
int descriptors_receive(int socket, int *descriptors, int count);

#endif
