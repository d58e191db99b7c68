#!/usr/bin/env bats
# Chapter 10: a person at a terminal, in a box.
load lib/helpers
load lib/boxes

TMUX_SOCKET=

teardown() {
    [ -z "$TMUX_SOCKET" ] || tmux -S "$TMUX_SOCKET" kill-server || true
    remove_boxes
    host_compare
}

# A terminal of 30 by 90 that a person might sit at. See tmux(1).
open_terminal() {
    TMUX_SOCKET=$BATS_TEST_TMPDIR/tmux
    tmux -S "$TMUX_SOCKET" -f /dev/null new-session -d -x 90 -y 30 "PS1='host$ ' bash --norc --noprofile" 3>&- 4>&-
    wait_until 5 sees 'host\$'
}

type_in() {
    tmux -S "$TMUX_SOCKET" send-keys "$@"
}

sees() {
    tmux -S "$TMUX_SOCKET" capture-pane -p -J | grep -q -- "$1"
}

# An interactive session in a box that has been entered by typing COMMAND.
sit_in_box() {
    type_in "$1" Enter
    wait_until 10 sees 'box\$'
    type_in 'stty size; tty' Enter
    wait_until 5 sees '^30 90$'
    wait_until 5 sees '^/dev/pts/'
    # Ctrl-C ends the command, and not the shell.
    type_in 'sleep 71' Enter
    wait_until 5 runs_in_box 'sleep 71'
    type_in C-c
    wait_until 5 not runs_in_box 'sleep 71'
    # Ctrl-Z, jobs, fg, bg.
    type_in 'sleep 72' Enter
    wait_until 5 runs_in_box 'sleep 72'
    type_in C-z
    wait_until 5 sees 'Stopped'
    type_in 'bg; echo went $((40 + 2))' Enter
    wait_until 5 sees 'went 42'
    type_in fg Enter
    wait_until 5 sees '^sleep 72$' # which is in front in a moment
    wait_until 5 ends_at_ctrl_c 'sleep 72'
    # The window changes its size.
    tmux -S "$TMUX_SOCKET" resize-window -x 101 -y 41
    type_in 'clear; stty size' Enter
    wait_until 5 sees '^41 101$'
}

ends_at_ctrl_c() {
    type_in C-c
    not runs_in_box "$1"
}

not() {
    ! "$@"
}

runs_in_box() {
    grep -lsz "${1% *}" /proc/[0-9]*/cmdline | while read -r file; do
        [ "$(tr '\0' ' ' <"$file")" = "$1 " ] && echo yes
    done | grep -q yes
}

# between COMMAND: what to type for noting how the terminal is set before COMMAND and, ten seconds at
# most, after it. By a shell that is not interactive, as one that is mends the terminal itself.
between() {
    cat >"$BATS_TEST_TMPDIR/between" <<END
cd $BATS_TEST_TMPDIR
stty -a | tail -n +2 >before
$1
echo "status \$?"
for i in \$(seq 50); do
    stty -a | tail -n +2 >now
    ! cmp -s before now || break
    sleep 0.2
done
mv now after
END
    echo "sh $BATS_TEST_TMPDIR/between"
}

terminal_is_as_before() {
    wait_until 5 [ -s "$BATS_TEST_TMPDIR/after" ]
    diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

@test "an interactive shell on a terminal: size, Ctrl-C, job control; the host's terminal is restored" {
    requires command:tmux
    open_terminal
    sit_in_box "$(between "$full run -it --network none -e 'PS1=box\$ ' $ROOTFS bash --norc")"
    type_in 'exit 5' Enter
    wait_until 5 sees 'status 5'
    terminal_is_as_before
}

# bats test_tags=ex:10-5
@test "exec -t: the same in a box that runs" {
    requires command:tmux
    detached bird --network=none sleep 60
    open_terminal
    sit_in_box "$(between "$full exec -it -e 'PS1=box\$ ' bird bash --norc")"
    type_in 'exit 5' Enter
    wait_until 5 sees 'status 5'
    terminal_is_as_before
    run -0 "$full" exec bird true
}

# The tool that was started in the terminal by a shell there.
find_tool() {
    local child shell
    shell=$(tmux -S "$TMUX_SOCKET" display-message -p '#{pane_pid}')
    tool=$(descendants_of "$shell" | while read -r child; do
        [[ $(tr '\0' ' ' <"/proc/$child/cmdline") != *"full run -it "* ]] || echo "$child"
    done | head -n 1)
    [ -n "$tool" ]
}

@test "run -t, stopped from elsewhere: 'stop' ends it, and leaves the terminal to the shell there" {
    requires command:tmux
    local tool settings
    open_terminal
    type_in "$full run -it --name bird --network none $ROOTFS sh -c 'echo re''ady; read x'" Enter
    wait_until 10 sees '^ready'
    find_tool
    kill -STOP "$tool"
    wait_until 5 sees Stopped
    settings=$(stty -a -F "$(tmux -S "$TMUX_SOCKET" display-message -p '#{pane_tty}')")
    run -0 "$full" stop -t 1 bird
    wait_until 5 ended "$tool"
    assert_equal "$(stty -a -F "$(tmux -S "$TMUX_SOCKET" display-message -p '#{pane_tty}')")" "$settings"
    type_in '' Enter
    wait_until 5 sees 'Exit 137' # and not killed itself
}

@test "-d -t: a terminal without anybody, and what is written there is in the log" {
    detached bird --network=none -t sh -c 'tty; echo hello; ls -l /proc/self/fd/0'
    run -0 "$full" wait bird
    run -0 "$full" logs bird
    assert_contains "$output" /dev/pts/0
    assert_contains "$output" hello
}

# on_terminal COMMAND: run a shell command on a terminal, and print what comes out.
on_terminal() {
    local -
    set -o pipefail
    timeout "$RUN_LIMIT" script --quiet --return --command "$1" /dev/null </dev/null | tr -d '\r'
}

@test "without -t: pipes in place of the terminal, which the box can't read, set or type into" {
    local streams='for i in 0 1 2; do test ! -t $i || echo "$i is a terminal"; done; stat -Lc %F /dev/stdout'
    run -0 on_terminal "$full run ${alone[*]} $ROOTFS sh -c '$streams'"
    assert_equal "$output" fifo
    detached bird --network=none sleep 60
    run -0 on_terminal "$full exec bird sh -c '$streams'"
    assert_equal "$output" fifo
    open_terminal
    type_in "$(between "$full run -i --network none --userns host --cap-add ALL --seccomp off $ROOTFS stty -echo raw")" Enter
    wait_until 5 sees 'status 1'
    terminal_is_as_before
}

@test "without -t: output and error appear in their order, all of it, and by name" {
    local print='for i in $(seq 3000); do echo $i >/dev/stdout; echo -$i >/dev/stderr; done; exit 3'
    run -3 on_terminal "$full run ${alone[*]} -u 1000 $ROOTFS sh -c '$print'"
    assert_equal "$output" "$(for i in $(seq 3000); do echo "$i"; echo "-$i"; done)"
    run -0 on_terminal "$full run ${alone[*]} $ROOTFS sh -c 'echo out; echo err >&2' 2>/dev/null"
    assert_equal "$output" out
}

# job COMMAND PROGRAM: PROGRAM in a box reads the terminal from the background, by COMMAND.
job() {
    type_in "clear; $1 $2 &" Enter
    wait_until 10 job_is_stopped
    type_in 'echo went $((40 + 2))' Enter
    wait_until 5 sees 'went 42'
    type_in 'clear; bg' Enter
    wait_until 5 sees "^\[1\]+ $1 $2 &" # or the first stop would be taken for the second
    wait_until 5 job_is_stopped
    wait_until 5 runs_in_box "$2"
    type_in 'clear; fg' Enter
    wait_until 5 sees "^$1 $2\$" # not the line of the stopped job, which is soon cleared
    type_in 'for the box' Enter
    wait_until 5 said_twice
    type_in C-d
    wait_until 5 not runs_in_box "$2"
    type_in 'clear; echo back $((50 + 3))' Enter
    wait_until 5 sees 'back 53'
}

# The shell says so before its next prompt.
job_is_stopped() {
    type_in '' Enter
    sees 'Stopped'
}

# By the terminal, and by the program.
said_twice() {
    [ "$(tmux -S "$TMUX_SOCKET" capture-pane -p -J | grep -c '^for the box$')" -eq 2 ]
}

@test "-i: in the background it stops, and what is typed is for the shell" {
    requires command:tmux
    open_terminal
    job "$full run -i --network none $ROOTFS" 'cat -u'
    detached bird --network=none sleep 60
    job "$full exec -i bird" 'cat -u'
}

@test "without -i: what is typed while a box runs is for the shell, and nothing for a box to read" {
    requires command:tmux
    open_terminal
    type_in "$full run --network none $ROOTFS sh -c 'cat; sleep 2; echo done'" Enter
    type_in 'echo ahead $((40 + 2))' Enter
    wait_until 10 sees 'ahead 42'
    sees 'done'
}

@test "without -i or -t: a shell that nobody could type to is refused" {
    run -125 on_terminal "$full run ${alone[*]} $ROOTFS"
    assert_contains "$output" "full run: no command is given, and a shell would have no input"
    assert_contains "$output" "hint: with -it"
    detached bird --network=none sleep 60
    run -125 on_terminal "$full exec bird"
    assert_contains "$output" "hint: with -it"
    run -0 sh -c "echo 'echo from a pipe' | $full run ${alone[*]} $ROOTFS"
    assert_equal "$output" "from a pipe"
}
