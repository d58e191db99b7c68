#!/usr/bin/env bats
# What every tool of the course does, whatever it isolates.
load lib/helpers
load lib/each

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
    case ${tool_line[0]} in */chroot | */full) return 0 ;; esac # there the root comes first
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

@test "an error inside is reported once, in one line" {
    for_each reports_once
}

@test "a failed system call on either side is reported once, with 125, and nothing is left" {
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

@test "where clone3 is hidden, as engines do, the box is made by the older call" {
    requires command:strace tool:uts
    run -0 strace -f -o /dev/null -e inject=clone3:error=ENOSYS "$(tool uts)" readlink /proc/self/ns/uts
    assert_differ "$output" "$(namespace_of $$ uts)"
}

@test "control characters in what an error quotes don't reach the terminal" {
    requires tool:uts
    run -127 --separate-stderr "$(tool uts)" $'/no/\e[31msuch\x9b\nthing'
    refute_contains "$stderr" $'\e'
    assert_equal "$(grep -c . <<<"$stderr")" 1
}

# --- signals -----------------------------------------------------------------------------------

# Where the probe is for the command of the tool in tool_line.
probe() {
    [[ ${tool_line[*]} == *"$ROOTFS"* ]] && echo /probe || echo "$PROBE"
}

passes_signals_on() {
    local name number
    # The checks themselves may have been started by nohup.
    start_command env --default-signal=HUP "${tool_line[@]}" "$(probe)" signals || return
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

has_its_signals() {
    run -0 "${tool_line[@]}" "$(probe)" blocked
    assert_equal "$output" "" || return
    run -0 env --ignore-signal --block-signal "${tool_line[@]}" "$(probe)" blocked
    assert_equal "$output" ""
}

@test "the command starts with no signal blocked or ignored, whatever the tool was started with" {
    for_each has_its_signals
}

keeps_a_hangup_off() {
    case ${tool_line[0]} in */chroot) return 0 ;; esac # the command itself, not a child
    start_command env --ignore-signal=HUP "${tool_line[@]}" "$(probe)" signals || return
    wait_until 5 grep -q ready "$BOX_OUT" || return
    kill -HUP "$TOOL_PID"
    kill -TERM "$TOOL_PID"
    wait_box || return
    assert_equal "$(<"$BOX_OUT")" "ready"$'\n'"$(kill -l TERM)"
}

@test "a hangup that the tool was started to ignore does not reach the command, as under nohup" {
    for_each keeps_a_hangup_off
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

# on_terminal COMMAND…: run a tool on a terminal of its own, as the leader of its session. What is written to
# descriptor 8 is typed; what the command prints comes to the file seen.
on_terminal() {
    requires command:script
    mkfifo "$BATS_TEST_TMPDIR/keys.$((++BOX_COUNT))"
    : >"$BATS_TEST_TMPDIR/seen"
    script --quiet --command "exec env --default-signal=HUP $* >$BATS_TEST_TMPDIR/seen" /dev/null <"$BATS_TEST_TMPDIR/keys.$BOX_COUNT" \
        >/dev/null 2>&1 3>&- 4>&- &
    SCRIPT_PID=$!
    exec 8>"$BATS_TEST_TMPDIR/keys.$BOX_COUNT"
    wait_until 5 grep -q ready "$BATS_TEST_TMPDIR/seen"
    TOOL_PID=$(xargs <"/proc/$SCRIPT_PID/task/$SCRIPT_PID/children")
    TOOL_PIDS+=("$SCRIPT_PID" "$TOOL_PID")
}

has_seen() {
    [ "$(xargs <"$BATS_TEST_TMPDIR/seen")" = "$*" ]
}

@test "Ctrl-C from a terminal reaches the command once, and also one that has left the group" {
    requires tool:uts tool:pid
    local line seen
    for line in "$(tool uts)" "$(tool uts) setsid" "$(tool pid) --init" "$(tool pid) --init setsid"; do
        on_terminal "$line" "$PROBE" signals
        seen=ready
        for _ in {1..5}; do
            printf '\003' >&8
            wait_until 5 has_seen "$seen 2"
            kill -USR1 "$TOOL_PID" # what comes twice comes before this
            wait_until 5 has_seen "$seen 2 10" || fail "seen: $(xargs <"$BATS_TEST_TMPDIR/seen")"
            seen="$seen 2 10"
        done
        kill -TERM "$TOOL_PID"
        exec 8>&-
        wait_until 5 ended "$SCRIPT_PID"
    done
}

@test "a hangup of the terminal reaches the command" {
    requires tool:uts tool:pid
    local line
    for line in "$(tool uts)" "$(tool pid) --init"; do
        on_terminal "$line" "$PROBE" signals
        kill -KILL "$SCRIPT_PID"
        wait_until 5 grep -qx 1 "$BATS_TEST_TMPDIR/seen"
        kill -TERM "$TOOL_PID"
        exec 8>&-
        wait_until 5 ended "$TOOL_PID"
    done
}

# --- what is passed on ---------------------------------------------------------------------------

keeps_descriptors_to_itself() {
    local output
    output=$(exec 7</etc/passwd 8</ 9>/dev/null 3</etc/passwd 4</ 5</dev/null 25</dev/null
        "${tool_line[@]}" "$(probe)" fds </dev/null)
    assert_equal "open: $output" "open: 0 1 2"
}

@test "no file descriptor but 0, 1 and 2 reaches the command" {
    for_each keeps_descriptors_to_itself
}

@test "a tool that is started with closed streams opens none of its own files in their place" {
    requires tool:uts
    # shellcheck disable=SC2016 # for that shell
    start_command sh -c 'exec "$@" <&- >&- 2>&-' sh "$(tool uts)" sleep 60
    assert_equal "$(readlink "/proc/$BOX_PID/fd"/{0,1,2} | xargs)" "/dev/null /dev/null /dev/null"
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

# That of the host stays outside a full box, which has one of its own.
works_on_a_terminal() {
    [[ ${tool_line[0]} != */full ]] || tool_line=("${tool_line[0]}" run -t "${tool_line[@]:2}")
    run -0 script -qec "${tool_line[*]} sh -c 'test -t 0 && test -t 1 && stty size >/dev/null && echo is-a-terminal'" /dev/null
    assert_contains "$output" is-a-terminal
}

@test "a terminal stays a terminal for the command" {
    requires command:script
    for_each works_on_a_terminal
}

# bats test_tags=cgroup_v2
@test "cgroup: all of that too" {
    for_cgroup leaves_options_alone runs_a_shell passes_status_on tells_signals reports_once \
        passes_signals_on has_its_signals dies_with_the_tool keeps_descriptors_to_itself \
        passes_streams_on passes_arguments_on works_on_a_terminal
}
