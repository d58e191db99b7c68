#!/usr/bin/env bats
# What every tool of the course does, whatever it isolates.
load helpers

setup() {
    host_remember
    make_rootfs
    # Each tool as it is tried here. Those with a root of their own get one that has a shell.
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
        "cgroup"
        "overlay --lower $ROOTFS"
        "full run --network none $ROOTFS"
        "full run --network none --init --userns host $ROOTFS"
    )
    names=(chroot uts pid mnt ipc user net cgroup overlay full)
}

# The group of a tool that is killed outright is removed by the next run.
teardown() {
    stop_boxes
    [ ! -w /sys/fs/cgroup/cgroup.procs ] || "$(tool cgroup)" true || true
    host_compare
}

# with WORD…: the command line of a tool as it stands in $each, in the array tool_line. False if
# this tree does not have that tool (yet), or this machine can't run it: its chapter tells why.
with() {
    local path
    path=$(tool "$1")
    [ -x "$path" ] || return 1
    [ "$1" != cgroup ] || [ -w /sys/fs/cgroup/cgroup.procs ] || return 1
    [ "$1" != overlay ] || grep -qw overlay /proc/filesystems || return 1
    tool_line=("$path" "${@:2}")
}

# for_each FUNCTION: call it with each tool's command line in tool_line; name the tool that fails.
for_each() {
    local line words tried=0
    for line in "${each[@]}"; do
        read -r -a words <<<"$line"
        with "${words[@]}" || continue
        tried=$((tried + 1))
        "$1" || fail "this was: $line" || return
    done
    [ "$tried" -gt 0 ] || fail "there is no tool to try"
}

# The tools' names, for what needs no command.
for_each_name() {
    local name tried=
    for name in "${names[@]}"; do
        [ -x "$(tool "$name")" ] || continue
        "$1" "$(tool "$name")" "$name" || fail "this was: $name" || return
        tried=yes
    done
    [ -n "$tried" ] || fail "there is no tool to try"
}

has_help() {
    run -0 --separate-stderr "$1" --help
    assert_equal "$stderr" "" || return
    assert_contains "$output" "Usage: $2" || return
    assert_contains "$output" "Example: $2 " || return
    for option in --explain --view --help --version; do
        assert_contains "$output" "$option" || return
    done
    [ "$2" = full ] || assert_contains "$output" "The same in the shell"
}

@test "--help: usage, the options, an example, the same in the shell; on standard output" {
    for_each_name has_help
}

# Every option that takes a value or changes something names its default.
has_defaults() {
    local option
    run -0 "$1" --help
    while read -r option; do
        grep -qx 'Limits are off by default.' <<<"$output" ||
            grep -B1 -A3 -e "$option" <<<"$output" | grep -qE 'default|repeat|without' ||
            fail "--help does not tell the default of $option" || return
    done < <(grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+=' <<<"$output" | grep -oE -- '--[a-z-]+')
}

@test "--help: the default of every option that takes a value" {
    for_each_name has_defaults
}

has_version() {
    run -0 --separate-stderr "$1" --version
    [[ $output =~ ^$2\ .*[0-9]+\.[0-9]+ ]] || fail "the version is '$output'" || return
    run -0 "$1" -V
}

@test "--version" {
    for_each_name has_version
}

refuses_unknown_options() {
    local option
    for option in --no-such-option -Z; do
        expect_error 125 "option" "$1" $option true || return
        assert_hint "--help" || return
    done
}

@test "an unknown option is an error of one line, with 125, and a hint" {
    for_each_name refuses_unknown_options
}

refuses_missing_values() {
    local option
    run -0 "$1" --help
    for option in $(grep -oE -- '--[a-z-]+=' <<<"$output" | tr -d = | sort -u); do
        expect_error 125 "requires an argument" "$1" "$option" || return
    done
}

@test "an option without its value is an error" {
    for_each_name refuses_missing_values
}

leaves_options_alone() {
    run -0 "${tool_line[@]}" echo --help --explain -x
    assert_equal "$output" "--help --explain -x"
    [[ ${tool_line[*]} == */chroot\ * || ${tool_line[*]} == */full\ * ]] && return
    run -0 "${tool_line[@]}" -- echo one
    assert_equal "$output" one
}

@test "options after the command are the command's; -- ends the tool's own" {
    for_each leaves_options_alone
}

runs_a_shell() {
    run -0 sh -c 'echo "echo in-the-shell" | "$@"' sh "${tool_line[@]}"
    assert_equal "$output" in-the-shell
}

@test "without a command it runs a shell" {
    for_each runs_a_shell
}

# --- exit status and errors --------------------------------------------------------------------

passes_status_on() {
    run -0 "${tool_line[@]}" true
    run -7 "${tool_line[@]}" sh -c 'exit 7'
    run -255 "${tool_line[@]}" sh -c 'exit 255'
    run -127 "${tool_line[@]}" /no/such/program
    run -126 "${tool_line[@]}" /etc
}

@test "the exit status is the command's; 127 if it is not there, 126 if it can't be executed" {
    for_each passes_status_on
}

tells_signals() {
    # A process 1 cannot kill itself by a signal: an init in between would make the shell a child.
    case ${tool_line[*]} in
    *--init*) ;;
    */pid | */full\ *) return 0 ;;
    esac
    run -137 "${tool_line[@]}" sh -c 'kill -KILL $$'
    run -143 "${tool_line[@]}" sh -c 'kill -TERM $$'
}

@test "128+N if signal N killed the command" {
    for_each tells_signals
    requires tool:pid
    start_box pid sleep 60
    kill -KILL "$BOX_PID"
    wait_box
    assert_equal "$status" 137
}

reports_once() {
    run -127 --separate-stderr "${tool_line[@]}" /no/such/program
    assert_equal "$(grep -c . <<<"$stderr")" 1 || return
    assert_contains "$stderr" "/no/such/program: No such file or directory"
}

@test "an error inside is told once, in one line" {
    for_each reports_once
}

@test "if a system call fails, on either side, it is told once, with 125, and nothing stays" {
    requires command:strace tool:uts tool:pid tool:user
    local name
    name=$(uname -n)
    expect_error 125 "Operation not permitted" \
        strace -f -o /dev/null -e inject=sethostname:error=EPERM "$(tool uts)" --hostname x true
    expect_error 125 "No space left on device" \
        strace -f -o /dev/null -e inject=clone3:error=ENOSPC "$(tool uts)" true
    assert_hint "/proc/sys/user"
    expect_error 125 "Function not implemented" \
        strace -f -o /dev/null -e inject=mount:error=ENOSYS "$(tool pid)" true
    assert_hint kernel
    expect_error 125 "Cannot allocate memory" \
        strace -f -o /dev/null -e inject=mount:error=ENOMEM:when=2 "$(tool pid)" true
    expect_error 125 "Operation not permitted" \
        strace -f -o /dev/null -e inject=setresuid:error=EPERM "$(tool user)" true
    assert_equal "$(uname -n)" "$name"
}

# --- signals -----------------------------------------------------------------------------------

# Where the probe is for the command of the tool in tool_line.
probe() {
    [[ ${tool_line[*]} == *"$ROOTFS"* ]] && echo /probe || echo "$PROBE"
}

passes_signals_on() {
    local name number
    start_command "${tool_line[@]}" "$(probe)" signals || return
    wait_until 5 grep -q ready "$BOX_OUT" || return
    for name in INT HUP QUIT USR1 USR2 WINCH TERM; do
        number=$(kill -l "$name")
        kill -"$name" "$TOOL_PID"
        wait_until 5 grep -qx "$number" "$BOX_OUT" || fail "SIG$name did not arrive" || return
    done
    wait_box || return
    assert_equal "status $status" "status 0"
}

@test "SIGINT, HUP, QUIT, USR1, USR2, WINCH and TERM reach the command" {
    for_each passes_signals_on
}

gets_its_signals_back() {
    run -0 "${tool_line[@]}" "$(probe)" blocked
    assert_equal "$output" ""
}

@test "the command starts with no signal blocked or ignored" {
    for_each gets_its_signals_back
}

dies_with_the_tool() {
    case ${tool_line[0]} in */chroot) return 0 ;; esac # the command itself, not a child
    start_command "${tool_line[@]}" sleep 60 || return
    local pids
    pids=$(descendants_of "$TOOL_PID")
    [ -n "$pids" ] || fail "no process found below the tool" || return
    kill -KILL "$TOOL_PID"
    wait "$TOOL_PID" || true
    for pid in $pids; do
        wait_until 5 ended "$pid" || fail "process $pid lives on" || return
    done
}

@test "if the tool is killed outright, so is the command" {
    for_each dies_with_the_tool
}

@test "a tool whose parent ignores SIGCHLD still learns the exit status" {
    requires tool:uts
    run -7 bash -c 'trap "" CHLD; "$@"' bash "$(tool uts)" sh -c 'exit 7'
}

# --- what is passed on ---------------------------------------------------------------------------

keeps_descriptors_to_itself() {
    local output
    output=$(exec 7</etc/passwd 8</ 9>/dev/null 3>&- 4>&- 5</dev/null 25</dev/null
        "${tool_line[@]}" "$(probe)" fds </dev/null)
    assert_equal "open: $output" "open: 0 1 2"
}

@test "no file descriptor but 0, 1 and 2 reaches the command" {
    for_each keeps_descriptors_to_itself
}

passes_streams_on() {
    local text output status=0
    text=$(random_name)
    output=$(echo "$text" | "${tool_line[@]}" sh -c 'cat; echo error >&2; exit 3' \
        2>"$BATS_TEST_TMPDIR/stderr") || status=$?
    assert_equal "$status" 3 || return
    assert_equal "$output" "$text" || return
    assert_equal "$(<"$BATS_TEST_TMPDIR/stderr")" error
}

@test "standard input, output and error are passed on" {
    for_each passes_streams_on
}

passes_arguments_on() {
    run -0 "${tool_line[@]}" sh -c 'printf "<%s>" "$@"' sh 'a b' '' '*' $'new\nline' "quo'te"
    assert_equal "$output" "<a b><><*><new
line><quo'te>"
}

@test "arguments are passed on as they are" {
    for_each passes_arguments_on
}

works_on_a_terminal() {
    run -0 script -qec "${tool_line[*]} sh -c 'test -t 0 && test -t 1 && stty size >/dev/null && echo is-a-terminal'" /dev/null
    assert_contains "$output" is-a-terminal
}

@test "a terminal stays a terminal for the command" {
    requires command:script
    for_each works_on_a_terminal
}

# --- --view --------------------------------------------------------------------------------------

# The table's word on each namespace, against what /proc says of a box that runs.
views_truly() {
    local table kind want host_column
    table=$(view_of)
    start_command "${tool_line[@]}" sleep 60 || return
    for kind in mnt uts pid ipc user net cgroup time; do
        want=shared
        [ "$(namespace_of "$BOX_PID" $kind)" = "$(namespace_of $$ $kind)" ] || want=isolated
        host_column=$(namespace_of $$ $kind)
        grep -F "$host_column" <<<"$table" | grep -q "$want *\$" ||
            fail "of $kind the table should say '$want': $table" || return
    done
    for kind in 'root directory' mounts 'host name' 'domain name' 'own PID' 'processes seen' \
        'IPC objects' 'user and group' capabilities interfaces routes cgroup 'boot clock'; do
        grep -qE "^$kind .*(isolated|shared) *\$" <<<"$table" ||
            fail "the table has no row for $kind: $table" || return
    done
    grep "^host name" <<<"$table" | grep -qF "$(uname -n | cut -c1-26)" || fail "no host name"
    refute_contains "$table" $'\033'
    stop_boxes
}

# --view stands among the tool's own options: behind the tool's name, or behind "run".
view_of() {
    case ${tool_line[0]} in
    */full) "${tool_line[0]}" run --view "${tool_line[@]:2}" ;;
    *) "${tool_line[0]}" --view "${tool_line[@]:1}" ;;
    esac
}

@test "--view: what is isolated and what is shared, as seen from outside" {
    for_each views_truly
}

@test "--view has colour on a terminal only" {
    requires command:script tool:uts
    run -0 script -qec "$(tool uts) --view" /dev/null
    assert_contains "$output" $'\033[32misolated'
    run -0 "$(tool uts)" --view
    refute_contains "$output" $'\033'
}

@test "--view said twice is said once" {
    requires tool:uts
    run -0 "$(tool uts)" --view --view
    assert_equal "$(grep -c '^host name' <<<"$output")" 1
}

@test "--view without /proc is an error, and without sockets says what it could not read" {
    requires command:strace tool:uts
    expect_error 125 "needs the host's /proc" \
        unshare --mount sh -c 'mount -t tmpfs none /proc && "$@"' sh "$(tool uts)" --view
    run -0 strace -f -o /dev/null -e inject=socket:error=EMFILE "$(tool uts)" --view
    assert_contains "$output" "can't be read"
}

# --- --explain -----------------------------------------------------------------------------------

# The calls that namespaces, mounts and identities are made of.
calls='clone3|unshare|setns|mount|umount2|pivot_root|chroot|sethostname|setdomainname|setresuid|setresgid|setuid|setgid|setgroups|capset|open_tree|move_mount|mount_setattr|fsopen|fsmount|mknodat|symlinkat|mkdirat|seccomp'

# What strace saw of a side (host: the first process, box: all others), in order, until the command.
traced() {
    awk -v side="$1" -v calls="^($calls|openat)\$" '
        NR == 1 { first = $1 }
        ($1 == first) != (side == "host") { next }
        / execve\(/ && / = 0$/ { if (started[$1]++ || $1 != first) done[$1] = 1 }
        done[$1] { next }
        {
            name = $2
            sub(/\(.*/, "", name)
            if (name !~ calls || $2 !~ /\(/) next
            if (name == "clone3" && !/CLONE_NEW|CLONE_INTO_CGROUP/) next
            if (name == "openat" && !/(\/uid_map|\/gid_map|\/setgroups|"\/sys\/fs\/cgroup\/[^"]*)", O_WRONLY/) next
            print name == "openat" ? "write" : name
        }' "$BATS_TEST_TMPDIR/trace"
}

# What --explain has told of a side: the call is what follows the shell command.
explained() {
    grep -E "^ *$1# " "$BATS_TEST_TMPDIR/explained" | sed -E 's/.*  ([a-z_0-9]+\()/\1/' |
        grep -oE '^[a-z_0-9]+' | grep -xE "$calls|write"
}

explains_truly() {
    local side line
    line=("${tool_line[0]}" --explain "${tool_line[@]:1}")
    [[ ${tool_line[0]} != */full ]] || line=("${tool_line[0]}" run --explain "${tool_line[@]:2}")
    timeout "$RUN_LIMIT" strace -f -s 200 -o "$BATS_TEST_TMPDIR/trace" -e "trace=/^($calls|openat|execve)\$" \
        "${line[@]}" true 2>"$BATS_TEST_TMPDIR/explained" || return
    for side in host box; do
        diff <(traced $side) <(explained $side) ||
            fail "on the side of the $side, strace (<) and --explain (>) differ" || return
    done
    [ -s "$BATS_TEST_TMPDIR/explained" ] || [[ ${tool_line[0]} == */overlay ]] ||
        fail "--explain said nothing"
}

@test "--explain tells every call that isolates, in order, and nothing else" {
    requires command:strace
    for_each explains_truly
}

# What a process can tell of its surroundings; run as the command, by the tool and by the script.
# shellcheck disable=SC2089,SC2090 # for sh -c
observer='
    uname -n
    cat /proc/sys/kernel/domainname
    id -u
    [ $$ != 1 ] || { set -- /proc/[1-9]* && echo "process 1 of $#"; }
    sed -E "s/^[0-9]+ [0-9]+ [0-9:]+ //; s/ (shared|master):[0-9]+/ \1/g" /proc/self/mountinfo | sort
    ls -l /dev | grep -v total | sed -E "s/[A-Z][a-z][a-z] +[0-9]+ [0-9:]+//"
    for kind in mnt uts pid ipc user net cgroup; do
        [ "$(readlink /proc/self/ns/$kind)" = "$(eval echo \$$kind)" ] || echo "own $kind"
    done'

# The shell commands of --explain as a script: a command that starts something in new namespaces,
# or in another root, starts the rest of the script there. What the host does afterwards is done
# while that waits.
shell_commands() {
    local before=() inside=() after=() start='' side command line
    while IFS= read -r line; do
        side=${line%%#*} side=${side// /}
        command=$(sed -E 's/^ *[a-z]+# //; s/  +[a-z_0-9]+\(.*//' <<<"$line")
        case $side-$command in
        host-unshare* | host-chroot*) start=$command ;;
        host-*) [ -z "$start" ] && before+=("$command") || after+=("$command") ;;
        box-*) inside+=("$command") ;;
        esac
    done
    [[ $start != chroot* ]] || inside=("${after[@]}") after=()
    {
        echo 'set -e'
        printf '%s\n' "${inside[@]}"
        echo 'exec sh -c "$observer"'
    } >"$BATS_TEST_TMPDIR/inside.sh"
    echo 'set -e'
    printf '%s\n' "${before[@]}"
    if [ "${#after[@]}" -gt 0 ]; then
        echo "$start bash -c 'until [ -e $BATS_TEST_TMPDIR/go ]; do sleep 0.02; done; $(<"$BATS_TEST_TMPDIR/inside.sh")' &"
        echo 'box=$!; until [ "$(readlink /proc/$box/ns/user)" != "$user" ]; do sleep 0.02; done'
        printf '%s\n' "${after[@]}" | sed -E 's#/proc/[0-9]+/#/proc/$box/#g'
        echo "touch $BATS_TEST_TMPDIR/go; wait \$box"
    elif [[ $start == chroot* ]]; then
        echo "exec $start sh -c '$(<"$BATS_TEST_TMPDIR/inside.sh")'"
    else
        echo "exec $start bash $BATS_TEST_TMPDIR/inside.sh"
    fi
}

does_the_same_in_the_shell() {
    local kind by_tool by_shell
    # shellcheck disable=SC2090
    export observer
    for kind in mnt uts pid ipc user net cgroup; do
        export "$kind=$(namespace_of $$ $kind)"
    done
    rm -f "$BATS_TEST_TMPDIR/go"
    "${tool_line[0]}" --explain "${tool_line[@]:1}" true 2>&1 >/dev/null |
        shell_commands >"$BATS_TEST_TMPDIR/outside.sh"
    by_tool=$("${tool_line[@]}" sh -c "$observer" 2>/dev/null) || true
    by_shell=$(timeout "$RUN_LIMIT" bash "$BATS_TEST_TMPDIR/outside.sh" 2>"$BATS_TEST_TMPDIR/errors") || true
    diff <(echo "$by_tool") <(echo "$by_shell") || {
        cat "$BATS_TEST_TMPDIR/outside.sh" "$BATS_TEST_TMPDIR/inside.sh" "$BATS_TEST_TMPDIR/errors"
        fail "the tool (<) and the shell commands (>) do not do the same"
    }
}

@test "the shell commands of --explain, run as a script, do the same" {
    each=(
        "chroot $ROOTFS"
        "uts --hostname bird --domainname nest"
        "pid"
        "mnt --root $ROOTFS --dev --tmpfs /tmp --bind /proc:/proc --bind /etc:/mnt:ro --read-only"
        "mnt --propagation slave"
        "ipc"
        "user"
    )
    for_each does_the_same_in_the_shell
}
