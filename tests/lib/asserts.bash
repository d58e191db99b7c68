# What a check expects. Loaded by helpers.bash.
#
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables set for, and by, bats and the bats files

fail() {
    printf '%s\n' "$*" >&2
    return 1
}

assert_equal() {
    [ "$1" = "$2" ] || fail "expected '$2', got '$1'"
}

assert_differ() {
    [ "$1" != "$2" ] || fail "expected two different values, got '$1' twice"
}

assert_contains() {
    [[ $1 == *"$2"* ]] || fail "expected a text with '$2', got: $1"
}

refute_contains() {
    [[ $1 != *"$2"* ]] || fail "expected no '$2', got: $1"
}

# wait_until SECONDS COMMAND…: try COMMAND until it succeeds, and fail when the time is up. SECONDS is plenty
# on a quiet machine; a busy one gets PATIENCE times as long.
wait_until() {
    local - patience=$(($1 * PATIENCE * 1000000))
    local deadline=$((${EPOCHREALTIME/./} + patience))
    set +T
    shift
    until "$@" >/dev/null 2>&1; do
        [ "${EPOCHREALTIME/./}" -lt "$deadline" ] || fail "expected within $((patience / 1000000)) seconds: $*" || return
        sleep 0.01
    done
}

# requires WORD…: report why this check can't run here. That is a failure: what wasn't checked hasn't
# been shown to work. Words: root userns cgroup_v2 overlay command:NAME tool:NAME
requires() {
    local word why
    for word in "$@"; do
        why=
        case $word in
        root) [ "$(id -u)" -eq 0 ] || why="it needs root" ;;
        userns)
            as_user unshare --user --map-root-user --mount mount -t tmpfs none /mnt 2>/dev/null ||
                why="an ordinary user may not make a working user namespace on this machine"
            ;;
        cgroup_v2)
            [ -w /sys/fs/cgroup/cgroup.procs ] && grep -qw cpu /sys/fs/cgroup/cgroup.controllers ||
                why="cgroup v2 is not mounted on /sys/fs/cgroup with its controllers"
            ;;
        overlay)
            grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null ||
                why="this kernel has no overlay file system"
            ;;
        command:*)
            command -v "${word#*:}" >/dev/null || why="the program ${word#*:} is not installed"
            ;;
        tool:*)
            [ -x "$(tool "${word#*:}")" ] || why="there is no tool ${word#*:} in $BIN_DIR"
            ;;
        *) why="requires: unknown word '$word'" ;;
        esac
        [ -z "$why" ] || fail "cannot run here: $why" || return
    done
}

# second_processor 1|0: switch it on or off in the virtual machine, where it is usually off.
second_processor() {
    [ -n "${IN_VM-}" ] || return 0
    echo "$1" >/sys/devices/system/cpu/cpu1/online
    wait_until 5 cmp /sys/devices/system/cpu/online /sys/fs/cgroup/cpuset.cpus.effective
}
