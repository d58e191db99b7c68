# Boxes seen from outside, and the network between them and the host. Loaded by helpers.bash.
#
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables set for, and by, bats and the bats files

# The value of a field in /proc/PID/status: status_of PID NSpid
status_of() {
    sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

# The tools run on this host, as the checks themselves do. When a tree is graded they run on another one,
# and judged.bash replaces what follows: where to read that host's mounts and namespaces, the number of a
# process there and further inside, and how to start a command there.
HOST_PROC=/proc/self
HOST_ITSELF=$$
ON_HOST=()

host_namespace() {
    namespace_of $$ "$1"
}

host_number() {
    echo "$1"
}

numbers_inside() {
    status_of "$1" NSpid | cut -f2-
}

# The path of a tool's program, for copying it.
program() {
    tool "$1"
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

# start_box TOOL [ARG]…: run a tool in the background, with a command that stays, as do its children: one
# that comes and goes may be gone before it is looked at. TOOL_PID is the tool, BOX_PID the command, both
# found from outside. BOX_OUT is what it prints. It has BOX_TIME seconds to get that far (default: 5).
start_box() {
    local name=$1
    shift
    start_command "$(tool "$name")" "$@"
}

# The same for any command line, such as a chain of tools or one that begins with as_user.
start_command() {
    BOX_OUT=$BATS_TEST_TMPDIR/box.$((++BOX_COUNT)).out
    echo "$(show_command "$@") &"
    [ "$1" != as_user ] || set -- "${AS_USER[@]}" "${@:2}"
    BOX_LINE=$*
    "$@" </dev/null >"$BOX_OUT" 2>&1 3>&- 4>&- &
    TOOL_PID=$!
    TOOL_PIDS+=("$TOOL_PID")
    if ! wait_until "${BOX_TIME:-5}" started_or_ended "$TOOL_PID" || ended "$TOOL_PID"; then
        printf 'its output: '
        cat "$BOX_OUT"
        ! ended "$TOOL_PID" || { wait "$TOOL_PID" || printf '(status %s)\n' "$?"; }
        return 1
    fi
    BOX_PID=$(last_descendant "$TOOL_PID")
}
BOX_PID=
BOX_LINE=
TOOL_PIDS=()
BOX_COUNT=0

# start_job COMMAND…: the same as a job of its own, as a shell at a terminal starts it: SIGTSTP
# stops only such jobs. Its pid is TOOL_PID; nothing waits for its command.
start_job() {
    echo "$(show_command "$@") &"
    BOX_LINE=$*
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

# Has the command itself been executed? Then the last descendant isn't one of the tools any more, nor what a
# tool that is a script calls. A shell may be either.
box_runs() {
    is_command "$(last_descendant "$1")" "$1"
}

# is_command PID TOOL: that process of the tool's is the command, or was started by it. A shell is the command
# if its line ends as the tool's does.
is_command() {
    local exe line
    exe=$(readlink "/proc/$1/exe") || return 1
    case $exe in
    */dash)
        line=$(tr '\0\n' '  ' <"/proc/$1/cmdline")
        [[ -z $BOX_LINE || ${BOX_LINE//$'\n'/ } == *" ${line% }" || $line != *@(" -c "|"$BIN_DIR/")* ]] ||
            { [ "$1" -ne "$2" ] && is_command "$(status_of "$1" PPid)" "$2"; }
        ;;
    */hostname | */mount | */ip | "$BIN_DIR"/* | "$COURSE"/[01][0-9]-*/* | */stage | */on-host | */bash | */setpriv | */chroot | */unshare | *memfd:*) return 1 ;;
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

# box_waits PROGRAM: that is what the command has become.
box_waits() {
    BOX_PID=$(last_descendant "$TOOL_PID")
    [ "$(tr '\0' ' ' <"/proc/$BOX_PID/cmdline" | cut -d' ' -f1)" = "$1" ]
}

# A box whose command reads the fifo 'go' in the check's directory goes on, and ends.
end_wait() {
    timeout "$RUN_LIMIT" sh -c ": >'$BATS_TEST_TMPDIR/go'"
    wait_box
}

# End the box of TOOL_PID by a signal that the tool survives, so that it can undo what it has done.
end_box() {
    kill -TERM "$TOOL_PID"
    wait_box 10
}

# The same with all boxes, for a teardown, before it looks at what is left. Only the next run finds what
# kill -9 leaves.
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
        [ "$namespace" != "$(host_namespace "$kind")" ] ||
            fail "expected process $pid to have its own $kind namespace, got the host's" || return
    done
}

# assert_shared PID KIND…: PID lies in the same namespaces as this host.
assert_shared() {
    local pid=$1 kind
    shift
    for kind in "$@"; do
        assert_equal "$kind of the box $(namespace_of "$pid" "$kind")" \
            "$kind of the box $(host_namespace "$kind")" || return
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

# The same, born in a group: in_branch DIRECTORY COMMAND… It replaces the subshell of
# run or start_command, so that their signals reach the command.
in_branch() {
    exec bash -c 'echo $$ > "$0/cgroup.procs"; exec "$@"' "$1" "${AS_USER[@]}" "${@:2}"
}

# A command with another umask: with_umask MASK COMMAND…
with_umask() {
    timeout --foreground --kill-after=1 "$RUN_LIMIT" bash -c 'umask "$0" && exec "$@"' "$@"
}

# The addresses of the outside world and of the play host. What speaks there: talk.c.
WORLD=10.9.0.2
HOST=10.9.0.1
TALK=$COURSE/.build/talk

# The outside world is a second network namespace, one hop from the play host over wan. It has no IPv6
# addresses: those would appear and settle in the middle of the checks.
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
    ip link delete wan 2>/dev/null || true # if the kernel hasn't done so yet
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
