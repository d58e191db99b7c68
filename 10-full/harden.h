/* Small locks on doors that were used to break out of containers, each through a known fault. */
#ifndef HARDEN_H
#define HARDEN_H

#include "../04-mnt/mount.h"

/* Host, first in main(). Close all descriptors but 0, 1 and 2: the caller may have left a directory
 * open, which leads out of the box (CVE-2024-21626). */
void harden_descriptors(void);

/* Host, before the tool enters a box. A process there can reach the tool's program through
 * /proc/PID/exe, and write to it once the tool has ended (CVE-2019-5736). So execute the tool again
 * with ARGV, from a sealed copy in memory; only that returns. F_ADD_SEALS in fcntl(2) */
void harden_run_from_copy(char **argv);

/* Either side, before entering a box and in it. Keep processes of the box from looking into this
 * one (CVE-2016-9962), until execve(2) or a change of credentials. PR_SET_DUMPABLE in prctl(2) */
void harden_undumpable(void);

/* Box. Exchange the keyring of the session that the tool was started in for a new, empty one: no
 * namespace isolates keyrings. Before seccomp_install(). session-keyring(7) */
void harden_new_keyring(void);

/* Box, after the last chdir(2). Check that the working directory lies inside the root: an image
 * could name /proc/self/fd/7 as its own, which leads out (CVE-2024-21626). */
void harden_check_directory(void);

/* Box. From here on no execve(2) adds privileges: PR_SET_NO_NEW_PRIVS in prctl(2). */
void harden_no_new_privileges(void);

#endif
