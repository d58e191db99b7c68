# The host before and after a check. Loaded by helpers.bash.
#
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables set for, and by, bats and the bats files

# Everything on the host that a tool might change, one thing a line. Run in a subshell, and without
# bats's traps, which would make it many times slower.
host_snapshot() {
    trap - DEBUG ERR
    local file line
    while read -r line; do
        echo "mount $line"
    done </proc/self/mountinfo
    for file in /proc/sys/kernel/{hostname,domainname} /proc/sys/net/ipv4/ip_forward \
        /proc/sys/net/ipv4/conf/{all,default,lo}/{forwarding,accept_redirects,route_localnet,rp_filter} \
        /proc/sys/net/bridge/*; do
        [ ! -r "$file" ] || { read -r line <"$file" && echo "$file $line"; }
    done
    for file in /proc/sysvipc/{msg,sem,shm}; do
        [ ! -r "$file" ] || while read -r line; do echo "${file##*/} $line"; done <"$file"
    done
    if command -v ip >/dev/null; then
        ip -oneline address
        ip -oneline link
        ip route show table all
        ip rule
    else
        echo "interfaces:" /sys/class/net/*
    fi | grep -v '^cache'
    [ ! -d /run/netns ] || echo "named network namespaces:" /run/netns/*
    ! command -v nft >/dev/null || nft --stateless list ruleset 2>&1
    # The tree of control groups is the machine's. Its own services come and go; what lies beside
    # them is ours. Where cgroup v1 is in charge nothing is compared: there are no limits to set.
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] || find /sys/fs/cgroup -type d \
        -regex '.*\.\(service\|scope\|slice\)' -prune -o -type d -printf 'cgroup %p\n' 2>/dev/null
    # Chapter 10 keeps a list of its boxes, from which the next run removes those that were killed.
    find /tmp /dev /run -path /dev/pts -prune -o -path /run/bin -prune -o -path /run/course -prune -o \
        -name 'ten-steps*' -prune -o -path "$BATS_RUN_TMPDIR" -prune -o \
        -printf 'file %p %y %U:%G\n' 2>/dev/null
}

# The processes of the play host: all that its /proc shows, except the one that asks.
host_processes() {
    trap - DEBUG ERR
    local process stat
    for process in /proc/[1-9]*; do
        [ "$process" != "/proc/$BASHPID" ] || continue
        { read -r stat <"$process/stat"; } 2>/dev/null || continue
        stat=${stat/(/}
        echo "process ${stat%%)*}"
    done
}

host_remember() {
    [ -n "${PLAYHOST-}" ] || fail "checks run on the play host: tests/bin/playhost bats …" || return
    chmod 755 "$BATS_RUN_TMPDIR" # so that ordinary users find what a check has made for them
    host_before=$(host_snapshot)
    processes_before=$(host_processes)
}

no_process_is_left() {
    [ "$(host_processes)" = "$processes_before" ]
}

# A process's mounts, links and queues disappear a moment after it.
nothing_is_left() {
    host_after=$(host_snapshot)
    [ "$host_after" = "$host_before" ]
}

# print_difference WHAT BEFORE AFTER: all of it; the last line, which the score card shows, sums it up.
print_difference() {
    local lines
    lines=$(diff <(echo "$2") <(echo "$3") | grep '^[<>]') || true
    echo "$lines"
    echo "$1 before (<) and after (>) the check: $(head -n 2 <<<"$lines" | tr '\n' ' ')"
}

host_compare() {
    local failed=0 pid
    # A failed check may well leave things behind, and waiting long for them to go is pointless.
    [ -n "${BATS_TEST_COMPLETED-}" ] || local PATIENCE=1
    stop_boxes
    if ! wait_until 3 no_process_is_left; then
        print_difference "processes" "$processes_before" "$(host_processes)"
        for pid in $(diff <(echo "$processes_before") <(host_processes) |
            sed -n 's/^> process \([0-9]*\).*/\1/p'); do
            kill -KILL "$pid" 2>/dev/null
        done
        failed=1
    fi
    if ! wait_until 3 nothing_is_left; then
        print_difference "the host" "$host_before" "$host_after"
        failed=1
    fi
    # bats keeps all of them to its end, and hundreds with an image each fill a small machine.
    rm -rf --one-file-system "${BATS_TEST_TMPDIR:?}"/* 2>/dev/null || true
    return "$failed"
}
