/* /sys/class/net: what sysfs shows of the network. */
#ifndef SYS_H
#define SYS_H

/*
 * Box, in a mount namespace of its own, after mounts_make_private(). /sys shows the links of the
 * network namespace in which it was mounted, so mount a new one on it; what was mounted below the
 * old one, as the cgroup tree is, stays where it was. sysfs(5). An error ends the tool.
 */
void sys_mount(void);

#endif
