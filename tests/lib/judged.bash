# When a tree is graded (see bin/judge), the checks run outside the host that its tools run on. Loaded last by
# helpers.bash, this replaces the functions that would look at the checks' own host.
#
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables set for, and by, bats and the bats files

# The more exercises are red, the less time the others have: those that only wait end sooner.
red=(/run/judge/red.*)
[ -e "${red[0]}" ] || red=()
PATIENCE=$((${IN_VM:-0} ? 8 - 2 * ${#red[@]} : 4))
[ "$PATIENCE" -ge 3 ] || PATIENCE=3
RUN_LIMIT=$((${IN_VM:-0} ? 60 : 20))
HOST_PROC=/proc/$JUDGE_HOST
ON_HOST=(/run/bin/on-host)
HOST_ITSELF=1 # a process of the host's root, as its own processes name it

# From a seed, so that a grade can be had again; the names in one check differ by where they are asked for.
random_name() {
    RANDOM=$((JUDGE_SEED + BATS_SUITE_TEST_NUMBER * 1009 + BASH_LINENO[0] * 31 + ${#1}))
    printf '%s%04x%04x\n' "${1:-r}" "$RANDOM" "$RANDOM"
}

# The numbers of namespaces were written down before the first tool ran.
host_namespace() {
    case $1 in
    mnt | pid) cat "/run/judge/$1.number" ;;
    *) namespace_of $$ "$1" ;;
    esac
}

host_number() {
    local numbers
    read -r -a numbers < <(status_of "$1" NSpid)
    echo "${numbers[1]}"
}

numbers_inside() {
    status_of "$1" NSpid | cut -f3-
}

program() {
    echo "$HOST_PROC/root$(tool "$1")"
}

# Where a program of the box's might run, its own namespaces must not be the judge's.
inside() {
    local pid=$1 kinds=() run=("${ON_HOST[@]}")
    shift
    [[ " ${*%% -- *} " == *" mount "* || " ${*%% -- *} " == *" pid "* ]] || run=()
    [ ${#run[@]} -eq 0 ] || pid=$(host_number "$pid")
    while [ "$1" != -- ]; do kinds+=("--$1") && shift; done
    shift
    timeout --foreground --kill-after=1 "$RUN_LIMIT" "${run[@]}" nsenter --target "$pid" "${kinds[@]}" "$@"
}

make_rootfs() {
    ROOTFS=/run/tmp/rootfs.${1:-root}/rootfs
    [ ! -d "$ROOTFS" ] || return 0
    local user=() programs=()
    [ "${1:-root}" = root ] || user=("${AS_USER[@]}")
    [[ ${BATS_TEST_FILENAME##*/} == 0[1-6]* ]] || programs=(sh sleep true unshare) # all that core needs, sooner
    install -d ${user[0]:+-o 65534 -g 65534} "${ROOTFS%/*}"
    "${ON_HOST[@]}" "${user[@]}" /run/course/mkrootfs "$ROOTFS" "${programs[@]}" # the judge follows no links there
    install "$PROBE" "$ROOTFS/probe"
}

host_snapshot() {
    cat "$HOST_PROC/mountinfo" /proc/sys/kernel/{hostname,domainname} /proc/sysvipc/*
    echo /sys/class/net/* /dev/mqueue/*
}

# A process with more than one number isn't the judge's. Process 1 of the host stays.
host_processes() {
    grep -lsE '^NSpid:(\s[0-9]+){2}' /proc/[1-9]*/status | grep -vx "$HOST_PROC/status"
}

no_process_is_left() {
    local status
    status=$(host_processes)
    [ -z "$status" ] || {
        # shellcheck disable=SC2086 # several files
        ! sed -n 's/^State:\t[^Z].*/&/p' $status 2>/dev/null | grep -q .
    }
}

end_all_processes() {
    local status
    for status in $(host_processes); do
        status=${status#/proc/}
        kill -KILL "${status%/status}" 2>/dev/null || true
    done
    no_process_is_left
}

# Sets kind and exercises of this check.
look_up_check() {
    local file name
    while IFS=$'\t' read -r file kind exercises name; do
        [[ $name != "$BATS_TEST_DESCRIPTION" || $file != "${BATS_TEST_FILENAME##*/}":* ]] || break
    done </run/judge/list
    exercises=${exercises//,/ }
}

# An exercise ends with its first red core check; without the first one of a chapter the others show nothing, but
# for the chapters whose exercises don't build on each other.
host_remember() {
    local exercise chapter needed
    look_up_check
    for exercise in $exercises; do
        chapter=$(cd "$COURSE" && printf '%02d-*' "${exercise%.*}")
        # shellcheck disable=SC2086 # a pattern
        chapter=$(cd "$COURSE" && echo $chapter)
        [ -x "$BIN_DIR/$chapter/${chapter#*-}" ] || skip "no program"
        [ ! -e "/run/judge/red.$exercise" ] || skip "stopped at the first red check"
        # Where the sources of chapter 3 don't make mounts private, those of chapters 4 and 5 reach the host.
        needed=${exercise%.*}.1
        [[ $exercise != 8.3 && $exercise != 10.* ]] || needed=
        [ "$JUDGE_MODE" = bin ] || [[ $exercise != 4.* && $exercise != 5.2 ]] || needed+=" 3.2"
        for needed in $needed; do
            [ "$needed" = "$exercise" ] || [ ! -e "/run/judge/red.$needed" ] || skip "needs $needed"
        done
    done
    BATS_TEST_TMPDIR=$(mktemp -d /run/tmp/check.XXXXXX)
    chmod 755 "$BATS_TEST_TMPDIR"
    host_before=$(host_snapshot) links_before=$(echo /sys/class/net/*)
    setup_done=yes
}

# Links, rules and groups outlive the processes that made them.
remove_the_rest() {
    local each
    for each in /sys/class/net/*; do
        [[ " $links_before " == *" $each "* ]] || ip link delete "${each##*/}" 2>/dev/null
    done
    [[ " $exercises" != *" 7."* ]] || nft flush ruleset
    [ -z "${IN_VM-}" ] || find /sys/fs/cgroup -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null || true
}

# Mounts that have reached the host, which is the fault of exercise 3.2 alone in its chapter.
remove_mounts() {
    grep -vxF -f <(echo "$host_before") "$HOST_PROC/mountinfo" | cut -d' ' -f5 | tac |
        while read -r mount; do "${ON_HOST[@]}" --umount "$mount" || true; done
}

# What is left is ended or removed, which is not a fault: other checks test that a box dies with its tool.
host_compare() {
    local failed=0
    [ -n "${setup_done-}" ] || return 0
    stop_boxes
    wait_until 1 end_all_processes || kill -KILL "$JUDGE_HOST" # then nothing is checked any more
    remove_the_rest
    [[ $exercises != 3.[134] ]] || remove_mounts
    [ -n "${BATS_TEST_COMPLETED-}" ] || failed=1
    if [ "$failed" -eq 0 ] && ! wait_until 1 nothing_is_left; then
        print_difference "the host" "$host_before" "$host_after"
        failed=1
    fi
    [ "$failed" -eq 0 ] || remove_mounts
    local exercise
    [ "$kind" != core ] || for exercise in $exercises; do
        : >"/run/judge/green.$exercise"
        [ "$failed" -eq 0 ] || mv "/run/judge/green.$exercise" "/run/judge/red.$exercise"
    done
    return "$failed"
}
