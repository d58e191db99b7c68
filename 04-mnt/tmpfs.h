/* A tmpfs as the user asks for it, with docker's options. */
#ifndef TMPFS_H
#define TMPFS_H

#include "mount.h"

/*
 * TEXT, DST or DST:OPTIONS, as a mount. OPTIONS are separated by commas: size=, mode=, uid= and
 * gid= as tmpfs(5) has them, and ro, rw, exec, noexec, suid, nosuid, dev, nodev. The last of two
 * that contradict each other counts. Default: rw,noexec,nosuid,nodev, mode 1777. Runs on the host;
 * ends the tool if there is something else.
 */
struct bind tmpfs_parse(const char *text);

#endif
