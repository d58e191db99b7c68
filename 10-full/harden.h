/*
 * Small locks on doors that have been used to break out of containers, each by a known fault of a
 * container engine. What they are about is told beside each.
 */
#ifndef HARDEN_H
#define HARDEN_H

#include "../04-mnt/mount.h"

/*
 * Host, first of all in main(). Whoever started the tool may have left descriptors open: they would
 * be an init's in the box, and a directory's leads out (CVE-2024-21626). Close all but 0, 1 and 2.
 */
void harden_descriptors(void);

/*
 * Host, before the tool enters a box. A process in the box may reach the tool's own program file
 * through /proc/PID/exe, and write to it once the tool has ended: the next run is then theirs
 * (CVE-2019-5736). So go on from a copy in memory, sealed against any change. Executes the tool
 * anew with ARGV the first time, and returns the second. memfd_create(2), F_ADD_SEALS in fcntl(2)
 */
void harden_run_from_copy(char **argv);

/*
 * Either side, before entering a box and inside one. Let no process of the box look into this one:
 * its memory, its descriptors (CVE-2016-9962). Lasts until execve(2) or a change of credentials.
 * PR_SET_DUMPABLE in prctl(2)
 */
void harden_undumpable(void);

/*
 * Box without a terminal of its own. Become the leader of a new session and process group: kill(2)
 * with 0 reaches all of one's group, in whichever pid namespace they are, and so the tool and the
 * script that started it. A new session has no controlling terminal to open as /dev/tty, either.
 * setsid(2)
 */
void harden_new_session(void);

/*
 * Box. Leave the keyring of the session that the tool was started in, which may hold keys to
 * encrypted disks or to network file systems, for a new and empty one. Keyrings know no namespaces.
 * Before seccomp_install(). session-keyring(7)
 */
void harden_new_keyring(void);

/*
 * Box, after the last chdir(2). Make sure that the working directory lies inside the root: an image
 * could name /proc/self/fd/7 as its own, and lead out (CVE-2024-21626).
 */
void harden_check_directory(void);

/*
 * Box, before root_pivot(). Let no set-user-ID bit and no file capability count on ROOT and all
 * that is mounted below it. harden_no_new_privileges() lets none count either, but the kernel
 * refuses to execute a file that asks for a capability outside the bounding set, as Debian's ping
 * does for CAP_NET_RAW. On such mounts it does not look at it, and ping works. MOUNT_ATTR_NOSUID in
 * mount_setattr(2). An error ends the tool.
 */
void harden_nosuid(const struct root *root);

/* Box. From here on no execve(2) gives more privileges than there are: PR_SET_NO_NEW_PRIVS. */
void harden_no_new_privileges(void);

#endif
