# What the checks of all tools have in common. Load it after helpers.
#
# shellcheck shell=bash
# shellcheck disable=SC2034 # variables set for the bats files

setup() {
    host_remember
    make_rootfs
    # Each tool as it is tried here. Those with a root of their own get one that has a shell. cgroup
    # has a check of its own at the end of each file, because it needs its tree.
    each=(
        "chroot $ROOTFS"
        "uts"
        "uts --hostname bird --domainname nest"
        "pid"
        "pid --init"
        "mnt"
        "mnt --root $ROOTFS --dev --tmpfs /tmp --bind /etc:/mnt:ro --read-only"
        "ipc"
        "user"
        "net --none"
        "overlay --lower $ROOTFS"
        "full run --network none $ROOTFS"
        "full run --network none --init --userns host --shm-size 1m $ROOTFS"
    )
    names=(chroot uts pid mnt ipc user net cgroup overlay full)
}

# The group of a tool that is killed outright is removed by the next run.
teardown() {
    stop_boxes
    [ ! -w /sys/fs/cgroup/cgroup.procs ] || "$(tool cgroup)" true || true
    host_compare
}

# for_each FUNCTION: call it with each tool's command line in tool_line, after printing it. Never call
# it behind "||" or in a condition, where only its last line would count.
for_each() {
    local line words
    for line in "${each[@]}"; do
        printf 'this is: %s\n' "$line"
        read -r -a words <<<"$line"
        requires "tool:${words[0]}"
        [ "${words[0]}" != overlay ] || requires overlay
        tool_line=("$(tool "${words[0]}")" "${words[@]:1}")
        "$1"
    done
}

# for_each_name FUNCTION: call it with each tool's path and name, for what needs no command.
for_each_name() {
    local name
    for name in "${names[@]}"; do
        printf 'this is: %s\n' "$name"
        requires "tool:$name"
        "$1" "$(tool "$name")" "$name"
    done
}

# for_cgroup FUNCTION…: the same for cgroup, where there is a tree of cgroup v2.
for_cgroup() {
    local function
    requires cgroup_v2
    each=(cgroup)
    for function; do
        printf 'does cgroup pass: %s\n' "$function"
        for_each "$function"
    done
}
