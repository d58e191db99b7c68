#!/usr/bin/env bats
# Chapter 8: the tree of control groups: where the group is made, what is enabled for it, and
# that nothing is left, whoever runs it.
#
# shellcheck disable=SC2154 # $stderr is set by bats's run
load lib/helpers
load lib/groups

# bats test_tags=ex:8-3
@test "--parent: the group is where it was asked for" {
    local name parent
    name=$(random_name)
    make_group "$name"
    for parent in "$name" "$top/$name/"; do
        start_box cgroup --parent "$parent" --pids 9 sleep 60
        assert_equal "$(dirname "$(group_of "$BOX_PID")")" "$top/$name"
        assert_equal "$(<"$(group_of "$BOX_PID")/pids.max")" 9
    done
}

@test "--parent that isn't there, or isn't a group" {
    expect_error 125 "No such file" "$(tool cgroup)" --parent nowhere true
    assert_hint "mkdir $top/nowhere"
    expect_error 125 "No such file" "$(tool cgroup)" --parent ../.. true
    touch "$BATS_TEST_TMPDIR/cgroup.procs"
    expect_error 125 "expected a group below $top" "$(tool cgroup)" --parent "$BATS_TEST_TMPDIR" true
    expect_error 125 "Not a directory" "$(tool cgroup)" --parent cgroup.procs true
}

# bats test_tags=core,ex:8-1
@test "--parent: a limit's controller reaches the group below, as seen from outside" {
    local name group
    name=$(random_name)
    make_group "$name"
    start_box cgroup --parent "$name" --pids 9 sleep 60
    assert_isolated "$BOX_PID" cgroup
    group=$(group_of "$BOX_PID")
    assert_contains "$group/" "$top/$name/"
    assert_contains " $(<"$top/$name/cgroup.subtree_control") " " pids "
    [ -e "$group/pids.max" ]
}

# bats test_tags=ex:8-1
@test "controllers are handed down as far as needed, and stay" {
    [ "$handed_down" = "" ] || fail "cannot run here: the top hands down '$handed_down' already"
    local name
    name=$(random_name)
    make_group "$name"
    start_box cgroup --parent "$name" --cpus 0.5 sleep 60
    assert_equal "$(<$top/cgroup.subtree_control)" cpu
    assert_equal "$(<"$top/$name/cgroup.subtree_control")" cpu
    assert_equal "$(cat "$top/$name"/*/cgroup.subtree_control)" ""
    end_box
    assert_equal "$(<"$top/$name/cgroup.subtree_control")" cpu
    assert_equal "$(<$top/cgroup.subtree_control)" cpu
}

# bats test_tags=ex:8-1
@test "what somebody else has set in a group beside it is not lost when the last run ends" {
    local name
    name=$(random_name)
    start_box cgroup --pids 9 --cpus 0.5 sleep 60
    make_group "$name"
    echo 77 >"$top/$name/pids.max"
    echo 20000 >"$top/$name/cpu.max.burst"
    echo 50 >"$top/$name/cpu.weight"
    end_box
    run -0 "$(tool cgroup)" true
    assert_equal "$(cat "$top/$name"/{pids.max,cpu.max.burst,cpu.weight})" $'77\n20000\n50'
}

# bats test_tags=ex:8-1
@test "a group that holds processes hands nothing down: the error says who is in it" {
    local name
    name=$(random_name)
    make_group "$name"
    sleep 60 3>&- &
    TOOL_PIDS+=($!)
    echo $! >"$top/$name/cgroup.procs"
    expect_error 125 "enable '+cpu' in $top/$name" "$(tool cgroup)" --parent "$name" --cpus 0.5 true
    assert_hint "but process $! is in it"
    expect_error 125 "enable '+cpu' in $top/$name" unshare --pid --fork --mount-proc \
        "$(tool cgroup)" --parent "$name" --cpus 0.5 true # from there its number is 0
    expect_error 125 "enable '+memory' in $top/$name" "$(tool cgroup)" --parent "$name" --memory 9M true
    run -0 "$(tool cgroup)" --parent "$name" true
    assert_equal "$(<"$top/$name/cgroup.type")" domain
}

@test "all that still runs in the group at the end is ended" {
    run -0 "$(tool cgroup)" sh -c 'setsid sleep 61 >/dev/null 2>&1 </dev/null & setsid sleep 62 >/dev/null 2>&1 </dev/null & echo "$!"'
    wait_until 5 no_process_is_left
    assert_equal "$(our_groups)" ""
}

# bats test_tags=ex:8-3
@test "groups below the group are removed with it" {
    start_box cgroup sleep 60
    local group
    group=$(group_of "$BOX_PID")
    mkdir -p "$group/a/b" "$group/.c" "$group/$(printf 'd/%.0s' {1..1500})"
    end_box
    [ ! -e "$group" ]
}

@test "a run that was killed: the next one removes what it has left" {
    start_box cgroup --pids 9 sh -c 'setsid sleep 61 & exec sleep 60'
    local group
    group=$(our_groups)
    kill -KILL "$TOOL_PID"
    wait "$TOOL_PID" || true
    [ -e "$group" ] || fail "no group was left: the check checks nothing"
    run -0 "$(tool cgroup)" true
    [ ! -e "$group" ]
    wait_until 5 no_process_is_left
}

# killed_at CALL N COMMAND…: it is killed when it makes such a call for the Nth time. Fails if it ended
# before that.
killed_at() {
    local ended=0
    strace -qq -e trace="$1" -e inject="$1:signal=KILL:when=$2" -o /dev/null "${@:3}" || ended=$?
    [ "$ended" -eq 137 ]
}

@test "wherever a run was killed, the next one takes back all of it" {
    requires command:strace
    local name call steps=0 each
    name=$(random_name)
    make_group "$name"
    for call in write mkdir clone3 rmdir flock openat; do
        for ((each = 1; each < 40; each++)); do
            killed_at "$call" "$each" "$(tool cgroup)" --parent "$name" --pids 9 true || break
            steps=$((steps + 1))
            run -0 "$(tool cgroup)" true
            assert_equal "$call $each: $(find "$top/$name" -mindepth 1 -type d)" "$call $each: "
            assert_equal "$(our_groups)" ""
        done
    done
    [ "$steps" -ge 15 ]
}

# bats test_tags=ex:8-3
@test "and leaves alone what is alive" {
    start_box cgroup --pids 9 sleep 60
    run -0 "$(tool cgroup)" --pids 9 true
    [ -e "$(group_of "$BOX_PID")" ]
    assert_equal "$(<"$(group_of "$BOX_PID")/pids.max")" 9
    kill -0 "$BOX_PID"
}

@test "and what somebody else has put beside it" {
    local name
    name=$(random_name)
    make_group ten-steps
    make_group "ten-steps/$name"
    sleep 60 3>&- &
    TOOL_PIDS+=($!)
    echo $! >"$top/ten-steps/$name/cgroup.procs"
    run -0 "$(tool cgroup)" true
    kill -0 "${TOOL_PIDS[0]}"
    [ -e "$top/ten-steps/$name" ]
    kill "${TOOL_PIDS[0]}"
    wait_until 5 ended "${TOOL_PIDS[0]}"
    rmdir "$top/ten-steps/$name"
    run -0 "$(tool cgroup)" true
    [ ! -e "$top/ten-steps" ]
}

@test "no user of the host can hold a run up" {
    "${AS_USER[@]}" flock --no-fork "$top/cgroup.procs" sleep 600 3>&- &
    TOOL_PIDS+=("$!")
    wait_until 3 sh -c "! flock --nonblock $top/cgroup.procs true"
    run -0 timeout 5 "$(tool cgroup)" true
    start_box cgroup sleep 60
    run ! as_user flock --nonblock /run/ten-steps true
}

@test "a signal at any moment leaves nothing" {
    local i
    for i in 0 1 2 3 4 5 6 7 8 9; do
        # A shell of its own: the signal may come before it has become the tool, and this one, with
        # its traps, would take that for its own end.
        # shellcheck disable=SC2016 # that shell's variables
        run bash -c '"$0" --pids 9 sleep 60 & sleep "0.0$1"; kill -TERM $!; wait $!' "$(tool cgroup)" "$i"
        assert_equal "$status" 143
    done
    assert_equal "$(our_groups)" ""
}

# bats test_tags=ex:8-3
@test "fifty at once, each with its own group and limits, and nothing is left" {
    local i pids=() results=$BATS_TEST_TMPDIR/results
    mkdir "$results"
    for i in $(seq 50); do
        "$(tool cgroup)" --pids $((i + 5)) sh -c "cat $top/pids.max" >"$results/$i" 3>&- &
        pids+=($!)
    done
    for i in $(seq 50); do
        wait "${pids[i - 1]}" || fail "run $i ended with $?"
        assert_equal "$(<"$results/$i")" $((i + 5))
    done
    assert_equal "$(our_groups)" ""
}

@test "in a box no group can be made: the error says why" {
    expect_error 125 "Read-only file system" "$(tool cgroup)" "$(tool cgroup)" true
    assert_hint "outside"
}

@test "a command that can't be run: 126, 127, and the group is gone" {
    run -127 "$(tool cgroup)" no-such-command
    run -126 "$(tool cgroup)" /etc/passwd
    run -7 "$(tool cgroup)" sh -c 'exit 7'
    assert_equal "$(our_groups)" ""
}

# --- without root --------------------------------------------------------------------------------

# A branch that an ordinary user was given, with this process in one of its leaves: delegate NAME
delegate() {
    make_group "$1"
    mkdir "$top/$1/leaf"
    chown 65534:65534 "$top/$1" "$top/$1/leaf" "$top/$1"/{,leaf/}cgroup.{procs,threads,subtree_control}
}

# bats test_tags=ex:8-3
@test "without root, in a delegated branch" {
    requires userns
    local name
    name=$(random_name)
    delegate "$name"
    echo "+cpu +memory +pids" >$top/cgroup.subtree_control
    run -0 in_branch "$top/$name/leaf" "$(tool cgroup)" --pids 9 --memory 20M sh -c \
        "cat $top/pids.max /proc/self/cgroup; id -u"
    assert_contains "$output" 9
    assert_contains "$output" 0::/
    assert_contains "$output" 65534
    refute_contains "$output" "$name"
    start_command in_branch "$top/$name/leaf" "$(tool cgroup)" --pids 9 sleep 60
    assert_contains "$(group_of "$BOX_PID")" "$top/$name/ten-steps/"
    assert_equal "$(<"$(group_of "$BOX_PID")/pids.max")" 9
    end_box
    assert_equal "$(ls -d "$top/$name"/*/)" "$top/$name/leaf/"
}

@test "without root, where the only group has processes: the error says what to do" {
    requires userns
    local name
    name=$(random_name)
    delegate "$name"
    echo "+pids" >$top/cgroup.subtree_control
    sleep 60 3>&- &
    TOOL_PIDS+=($!)
    echo $! >"$top/$name/cgroup.procs"
    expect_error 125 "no group of $top is yours to write" in_branch "$top/$name" "$(tool cgroup)" --pids 9 true
    assert_hint "has room for a group"
    assert_equal "$(<"$top/$name/cgroup.procs")" "${TOOL_PIDS[0]}"
}

# bats test_tags=ex:8-1
@test "without root, a controller that was not handed down is named" {
    local name
    name=$(random_name)
    delegate "$name"
    echo "+pids" >$top/cgroup.subtree_control
    expect_error 125 "enable '+memory' in $top: Permission denied" \
        in_branch "$top/$name/leaf" "$(tool cgroup)" --memory 20M true
}

@test "without root and without a branch: the error says what to do" {
    expect_error 125 "Permission denied" as_user "$(tool cgroup)" true
    assert_hint systemd-run
}

@test "a controller that cgroup v1 holds is named, with the way out" {
    local v1=$BATS_TEST_TMPDIR/v1
    mkdir "$v1"
    mount -t cgroup -o pids none "$v1" || fail "cannot run here: this kernel has no cgroup v1"
    expect_error 125 "no controller pids in $top" "$(tool cgroup)" --pids 9 true
    assert_hint "cgroup_no_v1=all"
    [ ! -e $top/ten-steps ] || fail "the group for the group is left"
    run -0 "$(tool cgroup)" --cpus 0.5 true
    umount "$v1"
    wait_until 10 grep -qw pids $top/cgroup.controllers
}

@test "a controller that no kernel has: the error says so, and nothing of cgroup v1" {
    expect_error 125 "no controller foo in $top" "$(tool cgroup)" --set foo.bar=1 true
    assert_hint "begins with its controller's"
}

@test "--pids 0: nothing could be born there, so that is an error" {
    expect_error 125 "pids" "$(tool cgroup)" --pids 0 true
    refute_contains "$stderr" clone3
    assert_equal "$(our_groups)" ""
}

@test "no tree at all: the error says how to get one" {
    run -125 unshare --mount sh -c "umount -l $top; exec $(tool cgroup) true"
    assert_contains "$output" "no cgroup v2 tree is mounted"
    assert_contains "$output" "cgroup_no_v1=all"
}
