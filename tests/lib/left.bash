# The host before and after, for scripts that make the tools fail: sweep and crash.
#
# shellcheck shell=bash
# shellcheck disable=SC2154 # place is the script's own directory

# All that a tool could leave, a thing a line. The tools' own records are part of it.
snapshot() {
    cut -d' ' -f3- /proc/self/mountinfo
    cat /proc/sys/kernel/{hostname,domainname} /proc/sys/net/ipv4/ip_forward \
        /proc/sys/net/ipv4/conf/{all,default,lo}/{forwarding,route_localnet} /proc/sysvipc/*
    ip -oneline address
    nft --stateless list ruleset
    find /sys/fs/cgroup -type d
    cat /sys/fs/cgroup/cgroup.subtree_control
    find /tmp /dev /run -path /dev/pts -prune -o -path /run/bin -prune -o -path /run/course -prune -o \
        -path "${BATS_RUN_TMPDIR:-/none}" -prune -o -path "$place/root" -prune -o \
        -path "$place/err*" -o -path "$place/out*" -o -path "$place/list" -o \
        -printf '%p %y %U:%G %m\n'
    local process
    for process in /proc/[1-9]*; do
        case $(readlink "$process/exe") in
        '' | */bash | *bin/find) ;; # of the kernel, on its way out, or of this script
        *) echo "process $(tr '\0' ' ' <"$process/cmdline")" ;;
        esac
    done
} 2>/dev/null
