#include "capability.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

enum verdict { DROP, KEEP };

/*
 * In the kernel's order: the index is the capability's number. All the reasons hold for the root of
 * a box with a user namespace of its own as well, though less hangs on them there: then the kernel
 * asks for most of the dropped ones on the host, where the box has none at all.
 */
static const struct {
    const char *name;
    enum verdict verdict;
    const char *reason;
} table[] = {
    {"CAP_CHOWN", KEEP, "installing software gives files to the users they belong to"},
    {"CAP_DAC_OVERRIDE", KEEP, "root in the box expects to write all files of the box"},
    {"CAP_DAC_READ_SEARCH", DROP,
     "opens files by handle, past every directory: the Shocker escape"},
    {"CAP_FOWNER", KEEP, "installing software sets modes and times of other users' files"},
    {"CAP_FSETID", KEEP, "keeps set-group-ID bits when files are changed, as package tools need"},
    {"CAP_KILL", KEEP, "signals among the box's own users; it sees no other processes"},
    {"CAP_SETGID", KEEP, "servers start as root and become a group of their own; so does su"},
    {"CAP_SETUID", KEEP, "servers start as root and become a user of their own; so does su"},
    {"CAP_SETPCAP", KEEP, "only gives power up: a program may drop what it does not need"},
    {"CAP_LINUX_IMMUTABLE", DROP, "files that its host's root can't remove for clean-up"},
    {"CAP_NET_BIND_SERVICE", KEEP, "ports below 1024 of the box's own network"},
    {"CAP_NET_BROADCAST", DROP, "the kernel does not use it"},
    {"CAP_NET_ADMIN", DROP, "addresses, routes, nf_tables: much kernel code, seldom needed"},
    {"CAP_NET_RAW", DROP, "forges packets to neighbours on the bridge; ping works without it"},
    {"CAP_IPC_LOCK", DROP, "pins memory past RLIMIT_MEMLOCK"},
    {"CAP_IPC_OWNER", DROP, "other users' System V objects; services don't need it"},
    {"CAP_SYS_MODULE", DROP, "code in the host's kernel"},
    {"CAP_SYS_RAWIO", DROP, "ports, /dev/mem, raw disks: the whole machine"},
    {"CAP_SYS_CHROOT", KEEP, "sshd, postfix and others lock themselves in; no way out of a pivot"},
    {"CAP_SYS_PTRACE", DROP, "reads processes of other users; one's own need no capability"},
    {"CAP_SYS_PACCT", DROP, "process accounting of the whole machine"},
    {"CAP_SYS_ADMIN", DROP, "mount, setns, quotas and hundreds more: \"the new root\""},
    {"CAP_SYS_BOOT", DROP, "reboots the machine, loads a new kernel"},
    {"CAP_SYS_NICE", DROP, "takes processor time from the host by real-time priority"},
    {"CAP_SYS_RESOURCE", DROP, "goes past rlimits, quotas and reserved disk space"},
    {"CAP_SYS_TIME", DROP, "sets the whole machine's clock"},
    {"CAP_SYS_TTY_CONFIG", DROP, "virtual consoles and vhangup"},
    {"CAP_MKNOD", DROP, "device files reach disks; the box's /dev has what programs need"},
    {"CAP_LEASE", DROP, "holds up others that open a file on a shared volume"},
    {"CAP_AUDIT_WRITE", DROP, "forges the host's audit log; there is none in the box"},
    {"CAP_AUDIT_CONTROL", DROP, "turns the host's audit off"},
    {"CAP_SETFCAP", KEEP, "installing software sets file capabilities; none count in the box"},
    {"CAP_MAC_OVERRIDE", DROP, "goes past the host's security policy (Smack)"},
    {"CAP_MAC_ADMIN", DROP, "changes the host's security policy (Smack, AppArmor)"},
    {"CAP_SYSLOG", DROP, "reads kernel messages with kernel addresses in them"},
    {"CAP_WAKE_ALARM", DROP, "wakes the sleeping machine"},
    {"CAP_BLOCK_SUSPEND", DROP, "keeps the machine from sleeping"},
    {"CAP_AUDIT_READ", DROP, "reads the host's audit log"},
    {"CAP_PERFMON", DROP, "watches other processes and the kernel"},
    {"CAP_BPF", DROP, "programs and maps in the host's kernel"},
    {"CAP_CHECKPOINT_RESTORE", DROP, "chooses pids, reads memory maps of other processes"},
};

enum { KNOWN = sizeof(table) / sizeof(table[0]) };
_Static_assert(KNOWN == 41, "the names and the numbers of <linux/capability.h> must agree");

static const uint64_t all = ~UINT64_C(0);

uint64_t capability_named(const char *name)
{
    const char *bare = strncasecmp(name, "CAP_", 4) == 0 ? name + 4 : name;

    if (strcasecmp(name, "ALL") == 0)
        return all;
    for (int i = 0; i < KNOWN; i++)
        if (strcasecmp(bare, table[i].name + strlen("CAP_")) == 0)
            return UINT64_C(1) << i;
    hint("capabilities(7) lists them: NET_RAW, SYS_PTRACE, ..., or ALL");
    fail("unknown capability '%s'", name);
}

uint64_t capability_chosen(uint64_t add, uint64_t drop)
{
    uint64_t set = 0;

    for (int i = 0; i < KNOWN; i++)
        if (add == all || table[i].verdict == KEEP)
            set |= UINT64_C(1) << i;
    set &= ~drop;
    return add == all ? set : set | add;
}

void capability_bound(uint64_t set)
{
    explain("capsh --drop=...\tprctl(PR_CAPBSET_DROP, all but 0x%llx)", (unsigned long long)set);
    /* EXERCISE 10.4: take all that is not in SET out of the bounding set. prctl(2) */
    for (int i = 0; i < 64; i++) {
        if (set >> i & 1 || prctl(PR_CAPBSET_DROP, i) == 0)
            continue;
        if (errno == EINVAL)
            break; /* this kernel's last one was the one before */
        die("drop capability %d", i);
    }
    /* END */
}

void capability_hold(uint64_t set, uint64_t add, uid_t user)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};

    if (syscall(SYS_capget, &header, data) == -1)
        die("capget");
    uint64_t ours = data[0].permitted | (uint64_t)data[1].permitted << 32;
    uint64_t held = user == 0 ? set & ours : 0, missing = user == 0 ? add & ~ours : 0;
    if (missing != 0 && add != all) {
        hint("whoever started this tool has taken it away, as container engines do");
        fail("the box can't have %s, as this process lacks it itself",
             table[__builtin_ctzll(missing)].name);
    }
    /* Inheritable stays empty: with it, a file's capabilities would give more (CVE-2022-27650). And
     * what isn't inheritable can't be ambient either. */
    for (int i = 0; i < 2; i++) {
        data[i].effective = data[i].permitted = (uint32_t)(held >> (32 * i));
        data[i].inheritable = 0;
    }
    explain("capsh --inh= --user=%u\tcapset(effective=permitted=0x%llx)", user,
            (unsigned long long)held);
    if (syscall(SYS_capset, &header, data) == -1)
        die("capset");
}
