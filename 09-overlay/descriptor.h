/* File descriptors that travel from process to process: unix(7), SCM_RIGHTS. */
#ifndef DESCRIPTOR_H
#define DESCRIPTOR_H

/*
 * Either side. Send DESCRIPTOR through SOCKET, such as the one that spawn() leaves in struct child.
 * The sender keeps its own. Returns 0, or a negative errno after saying what is wrong.
 */
int descriptor_send(int socket, int descriptor);

/*
 * Either side. Wait for a descriptor. Returns it (close-on-exec, the caller's to close), or a
 * negative errno: without a word if the other side has ended instead, as it has told why.
 */
int descriptor_receive(int socket);

#endif
