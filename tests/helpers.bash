# What the checks are written with. Every bats file begins with: load helpers
#
# Checks run on the play host (see playhost). setup and teardown below look at that host before and
# after each check; whatever a check or a tool has left there fails the check. A bats file with a
# setup or teardown of its own calls host_remember and host_compare from them.
#
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables set for, and by, bats and the bats files

bats_require_minimum_version 1.5.0

# What whoever runs the checks has set is nothing to them.
umask 022
export SHELL=$BASH LC_ALL=C.UTF-8
unset -v CDPATH COLUMNS LINES LANGUAGE MAKEFLAGS POSIXLY_CORRECT TAR_OPTIONS TEN_STEPS_HOME TMUX TZ \
    XDG_DATA_HOME XDG_RUNTIME_DIR all_proxy http_proxy https_proxy

# Seconds for one command, and how many times longer things may take than on a quiet machine: this
# one may be busy, and a virtual machine is emulated, ten times slower.
RUN_LIMIT=$((${IN_VM:-0} ? 300 : 60))
PATIENCE=$((${IN_VM:-0} ? 20 : 5))

: "${BIN_DIR:=$(cd "$BATS_TEST_DIRNAME/.." && pwd -P)}"
COURSE=$(cd "$BATS_TEST_DIRNAME/.." && pwd -P)
PROBE=$COURSE/.build/probe
AS_USER=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --)

setup() {
    host_remember
}

teardown() {
    host_compare
}

# --- the tools ---------------------------------------------------------------------------------

# The path of a tool: tool uts → …/02-uts/uts
tool() {
    local path
    for path in "$BIN_DIR"/[01][0-9]-*/"$1"; do
        [ -x "$path" ] || continue
        printf '%s\n' "$path"
        return
    done
    printf '%s\n' "$BIN_DIR/no-tool-called-$1"
}

# A root filesystem made of this machine's programs, once for all checks. Sets ROOTFS; with "user"
# it is one that belongs to an ordinary user.
make_rootfs() {
    local mkrootfs
    mkrootfs=$(tool mkrootfs)
    [ -x "$mkrootfs" ] || mkrootfs=$COURSE/01-chroot/mkrootfs
    ROOTFS=$BATS_RUN_TMPDIR/rootfs.${1:-root}/rootfs
    [ ! -d "$ROOTFS" ] || return 0
    if [ "${1:-root}" = user ]; then
        install -d -o 65534 -g 65534 "${ROOTFS%/*}"
        as_user "$mkrootfs" "$ROOTFS"
    else
        mkdir "${ROOTFS%/*}"
        "$mkrootfs" "$ROOTFS"
    fi
    # For what a shell can't do. It is no part of a root filesystem.
    install "$PROBE" "$ROOTFS/probe"
}

# An empty root directory with nothing in it but the probe. Sets ROOT.
make_bare_root() {
    ROOT=$BATS_TEST_TMPDIR/root
    mkdir -p "$ROOT/bin"
    cp "$PROBE" "$ROOT/bin/probe"
}

# Any text that no other place can hold by chance.
random_name() {
    printf '%s%04x%04x\n' "${1:-r}" "$RANDOM" "$RANDOM"
}

# bats keeps note of each command that a check runs, for the place of a failure. That takes longer than
# the command itself, so it is off (set +T) in what run and wait_until call.
#
# bats's own run, but what was run is shown if the check fails, and a program has a minute.
eval "bats_$(declare -f run)"
run() {
    local - failed=0 flags=()
    set +T
    while [[ $1 == -* || $1 == '!' ]]; do
        flags+=("$1")
        shift
    done
    printf '$ %s\n' "$*"
    [ "$(type -t "$1")" != file ] || set -- timeout --foreground --kill-after=1 "$RUN_LIMIT" "$@"
    stderr=
    bats_run "${flags[@]}" "$@" 3>&- 4>&- || failed=$?
    [ -z "$output" ] || printf '%s\n' "$output"
    [ -z "$stderr" ] || printf '(standard error) %s\n' "$stderr"
    printf '(status %s)\n' "$status"
    return "$failed"
}

# expect_error STATUS TEXT COMMAND…: COMMAND ends with STATUS and says one line that holds TEXT on
# standard error, and perhaps a hint below it, and nothing on standard output.
expect_error() {
    local want=$1 text=$2
    shift 2
    run "-$want" --separate-stderr "$@" || return
    assert_equal "$output" "" || return
    [[ ${stderr_lines[0]-} == *"$text"* ]] ||
        fail "expected an error with '$text', got '${stderr_lines[0]-}'" || return
    [[ ${stderr_lines[0]} =~ ^[a-z]+(\ [a-z]+)?:\  ]] ||
        fail "the error does not begin with the tool's name" || return
    [ "${#stderr_lines[@]}" -le 2 ] || fail "more than an error and a hint" || return
    [ "${#stderr_lines[@]}" -eq 1 ] || [[ ${stderr_lines[1]} == "hint: "* ]] ||
        fail "the second line is not a hint: ${stderr_lines[1]}"
}

# The hint below the error that expect_error has just seen.
assert_hint() {
    [[ ${stderr_lines[1]-} == "hint: "*"$1"* ]] ||
        fail "expected a hint with '$1', got '${stderr_lines[1]-}'"
}

# --- assertions --------------------------------------------------------------------------------

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

# wait_until SECONDS COMMAND…: try COMMAND until it succeeds; the time being up is a failure. SECONDS
# are more than enough on a quiet machine, and PATIENCE times as many are given.
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

# requires WORD…: say why this check can't run here, as a failure: what was not checked has not
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
        *) why="requires: '$word' is not a word it knows" ;;
        esac
        [ -z "$why" ] || fail "cannot run here: $why" || return
    done
}

# second_processor 1|0: switch it on or off in the virtual machine, which does without it otherwise.
second_processor() {
    [ -n "${IN_VM-}" ] || return 0
    echo "$1" >/sys/devices/system/cpu/cpu1/online
    wait_until 5 cmp /sys/devices/system/cpu/online /sys/fs/cgroup/cpuset.cpus.effective
}

# --- boxes seen from outside -------------------------------------------------------------------

# The value of a field in /proc/PID/status: status_of PID NSpid
status_of() {
    sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

# Its children, their children, …
descendants_of() {
    local children child
    read -r -a children < <(cat "/proc/$1"/task/*/children 2>/dev/null)
    for child in "${children[@]}"; do
        echo "$child"
        descendants_of "$child"
    done
}

# start_box TOOL [ARG]…: run a tool in the background, with a command that stays. TOOL_PID is the
# tool, BOX_PID the command, both found from outside. BOX_OUT is what it prints. It has BOX_TIME seconds
# to get that far (default: 5).
start_box() {
    local name=$1
    shift
    start_command "$(tool "$name")" "$@"
}

# The same for any command line, such as a chain of tools or one that begins with as_user.
start_command() {
    BOX_OUT=$BATS_TEST_TMPDIR/box.$((++BOX_COUNT)).out
    printf '$ %s &\n' "$*"
    [ "$1" != as_user ] || set -- "${AS_USER[@]}" "${@:2}"
    "$@" </dev/null >"$BOX_OUT" 2>&1 3>&- 4>&- &
    TOOL_PID=$!
    TOOL_PIDS+=("$TOOL_PID")
    if ! wait_until "${BOX_TIME:-5}" started_or_ended "$TOOL_PID" || ended "$TOOL_PID"; then
        printf 'its output: '
        cat "$BOX_OUT"
        return 1
    fi
    BOX_PID=$(last_descendant "$TOOL_PID")
}
BOX_PID=
TOOL_PIDS=()
BOX_COUNT=0

# start_job COMMAND…: the same as a job of its own, as a shell at a terminal starts it: only such a one
# is stopped by SIGTSTP. It is TOOL_PID, and is not waited for.
start_job() {
    printf '$ %s &\n' "$*"
    set -m
    "$@" </dev/null >"$BATS_TEST_TMPDIR/job.out" 2>&1 3>&- 4>&- &
    set +m
    TOOL_PID=$!
    TOOL_PIDS+=("$TOOL_PID")
}

# The youngest line of children of a process: the tool's child, its child, … down to the command.
last_descendant() {
    local pid=$1 child
    while child=$(cat "/proc/$pid"/task/*/children 2>/dev/null) && [ -n "${child// /}" ]; do
        child=${child% }
        pid=${child##* }
    done
    printf '%s\n' "$pid"
}

started_or_ended() {
    box_runs "$1" || ended "$1"
}

# Has the command itself been executed? Then the last descendant is none of the tools any more.
box_runs() {
    local exe
    exe=$(readlink "/proc/$(last_descendant "$1")/exe") || return 1
    case $exe in
    "$BIN_DIR"/* | "$COURSE"/[01][0-9]-*/* | */bash | */setpriv | *memfd:*) return 1 ;;
    esac
}

# End all boxes as a power failure would: the tool is killed, the command has to die with it.
stop_boxes() {
    local pid
    for pid in "${TOOL_PIDS[@]}"; do
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
}

# wait_box: wait for the tool in TOOL_PID to end by itself, and put its exit status in status.
wait_box() {
    wait_until "${1:-5}" ended "$TOOL_PID" || return
    status=0
    wait "$TOOL_PID" || status=$?
}

# End the box of TOOL_PID by a signal that the tool survives, so that it can undo what it has done.
end_box() {
    kill -TERM "$TOOL_PID"
    wait_box 10
}

# The same with all boxes: for a teardown, before what is left over is looked at. What kill -9 leaves
# is only found by the next run.
end_boxes() {
    local pid
    for pid in "${TOOL_PIDS[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${TOOL_PIDS[@]}"; do wait_until 10 ended "$pid"; done
}

is_stopped() {
    grep -q '^State:.*stopped' "/proc/$1/status"
}

# Gone, or a zombie that waits to be reaped.
ended() {
    local state
    state=$(sed -n 's/^State:\t//p' "/proc/$1/status" 2>/dev/null) || return 0
    [[ -z $state || $state == Z* ]]
}

# namespace_of PID KIND: the number of one of its namespaces
namespace_of() {
    readlink "/proc/$1/ns/$2"
}

# assert_isolated PID KIND…: PID lies in namespaces other than this host's.
assert_isolated() {
    local pid=$1 kind namespace
    shift
    for kind in "$@"; do
        namespace=$(namespace_of "$pid" "$kind") || fail "no process $pid to look at" || return
        [ "$namespace" != "$(namespace_of $$ "$kind")" ] ||
            fail "process $pid shares the $kind namespace with the host" || return
    done
}

# assert_shared PID KIND…: PID lies in the same namespaces as this host.
assert_shared() {
    local pid=$1 kind
    shift
    for kind in "$@"; do
        assert_equal "$kind of the box $(namespace_of "$pid" "$kind")" \
            "$kind of the box $(namespace_of $$ "$kind")" || return
    done
}

# A command in the namespaces of a process, seen from outside: inside PID KIND… -- COMMAND…
inside() {
    local pid=$1 kinds=()
    shift
    while [ "$1" != -- ]; do
        kinds+=("--$1")
        shift
    done
    shift
    timeout --foreground --kill-after=1 "$RUN_LIMIT" nsenter --target "$pid" "${kinds[@]}" "$@"
}

# A command as an ordinary user without any privileges.
as_user() {
    timeout --foreground --kill-after=1 "$RUN_LIMIT" "${AS_USER[@]}" "$@"
}

# The same, born in a group: in_branch DIRECTORY COMMAND… It takes the place of a subshell, as those of
# run and start_command, so that their signals reach the command.
in_branch() {
    exec bash -c 'echo $$ > "$0/cgroup.procs"; exec "$@"' "$1" "${AS_USER[@]}" "${@:2}"
}

# A command with another umask: with_umask MASK COMMAND…
with_umask() {
    timeout --foreground --kill-after=1 "$RUN_LIMIT" bash -c 'umask "$0" && exec "$@"' "$@"
}

# --- the network ---------------------------------------------------------------------------------

# The addresses of the outside world and of the play host. What speaks there: talk.c.
WORLD=10.9.0.2
HOST=10.9.0.1
TALK=$COURSE/.build/talk

# The outside world is a second network namespace, one hop from the play host's by wan. Without IPv6
# addresses, which would appear and settle in the middle of the checks.
make_world() {
    unshare --net sleep infinity 3>&- 4>&- &
    export WORLD_PID=$!
    wait_until 3 sh -c "[ \$(readlink /proc/$WORLD_PID/ns/net) != $(readlink /proc/self/ns/net) ]"
    ip link add wan address 02:00:00:00:00:01 type veth peer name eth0 netns "$WORLD_PID"
    ip link set wan addrgenmode none
    ip address add "$HOST/24" dev wan
    ip link set wan up
    in_world ip link set lo up
    in_world ip link set eth0 addrgenmode none
    in_world ip address add "$WORLD/24" dev eth0
    in_world ip link set eth0 up
    wait_until 3 ping -c1 -W1 "$WORLD"
}

end_world() {
    kill "$WORLD_PID"
    wait "$WORLD_PID" 2>/dev/null || true
    ip link delete wan 2>/dev/null || true # if the kernel has not done so yet
}

in_world() {
    inside "$WORLD_PID" net -- "$@"
}

# serve PID tcp|udp ADDRESS PORT NAME: a server in the network of a process, until the check ends.
serve() {
    local pid=$1 listed=-ltn
    shift
    [ "$1" = tcp ] || listed=-lun
    nsenter --target "$pid" --net "$TALK" serve "$@" 3>&- 4>&- &
    TOOL_PIDS+=("$!")
    wait_until 3 sh -c "nsenter --target $pid --net ss -H $listed 'sport = :$3' | grep -q ."
}

# --- the host before and after -----------------------------------------------------------------

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

# The processes of the play host, which are all that its /proc shows, but for the one that asks.
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
    [ -n "${PLAYHOST-}" ] || fail "checks run on the play host: tests/playhost bats …" || return
    chmod 755 "$BATS_RUN_TMPDIR" # so that ordinary users find what a check has made for them
    host_before=$(host_snapshot)
    processes_before=$(host_processes)
}

no_process_is_left() {
    [ "$(host_processes)" = "$processes_before" ]
}

# What is mounted, linked or queued by a process goes when it is gone, a moment later.
nothing_is_left() {
    host_after=$(host_snapshot)
    [ "$host_after" = "$host_before" ]
}

# tell_difference WHAT BEFORE AFTER: all of it, and in the last line, which the score card shows, the gist.
tell_difference() {
    local lines
    lines=$(diff <(echo "$2") <(echo "$3") | grep '^[<>]') || true
    echo "$lines"
    echo "$1 before (<) and after (>) the check: $(head -n 2 <<<"$lines" | tr '\n' ' ')"
}

host_compare() {
    local failed=0 pid
    # What has failed may well leave things, and there is no use in waiting long for them to go.
    [ -n "${BATS_TEST_COMPLETED-}" ] || local PATIENCE=1
    stop_boxes
    if ! wait_until 3 no_process_is_left; then
        tell_difference "processes" "$processes_before" "$(host_processes)"
        for pid in $(diff <(echo "$processes_before") <(host_processes) |
            sed -n 's/^> process \([0-9]*\).*/\1/p'); do
            kill -KILL "$pid" 2>/dev/null
        done
        failed=1
    fi
    if ! wait_until 3 nothing_is_left; then
        tell_difference "the host" "$host_before" "$host_after"
        failed=1
    fi
    return "$failed"
}
