#!/usr/bin/env bats
# Chapter 10: no command waits for ever for what a box, a key or another command has stopped.
load lib/helpers
load lib/boxes

eval "boxes_$(declare -f teardown)"
teardown() {
    exec 9>&-
    kill -CONT "${TOOL_PIDS[@]}" 2>/dev/null || true
    boxes_teardown
}

# A box that is to be linked to the bridge waits until this shell lets go of the claim: exec 9>&-.
hold_network() {
    mkdir -m 700 /run/ten-steps
    exec 9>>/run/ten-steps/net
    flock 9
}

@test "what is noted about a box that was killed doesn't get into a new one of its name" {
    requires command:strace
    run -0 "$full" run -d --name bird --network none "$ROOTFS" sleep 60
    kill -KILL "$(of bird monitor)" "$(of bird pid)"
    strace --quiet=all --output=/dev/null --trace-path="$TEN_STEPS_HOME/boxes/bird/state.new" \
        --inject=openat:delay_enter=2000000 "$full" ps -a 3>&- &
    TOOL_PIDS+=("$!")
    sleep 1
    wait_until 5 sh -c "'$full' rm bird; '$full' run -d --name bird --network none '$ROOTFS' sleep 61"
    wait_until 5 ended "${TOOL_PIDS[-1]}"
    run -0 "$full" exec bird true
}

@test "Ctrl-Z while a box is made: that waits until it runs; then 'stop' and 'rm -f' end it" {
    local end
    for end in "stop -t 1" "rm -f"; do
        hold_network
        start_job "$full" run --name bird "$ROOTFS" sleep 60 9>&-
        wait_until 3 [ -e "$TEN_STEPS_HOME/boxes/bird" ]
        kill -TSTP "$TOOL_PID"
        exec 9>&-
        wait_until 3 is_stopped "$TOOL_PID"
        run -0 "$full" exec bird true
        # shellcheck disable=SC2086 # words
        run -0 "$full" $end bird
        wait_until 3 ended "$TOOL_PID"
        run -0 "$full" ps
        assert_equal "${#lines[@]}" 1
        [ "$end" = "rm -f" ] || run -0 "$full" rm bird
    done
}

@test "a command stopped for good (SIGSTOP) while it clears up after a dead box: others go on" {
    requires command:strace
    local monitor child
    detached dead --rm "${alone[@]}" sleep 60
    monitor=$(monitor_of dead)
    kill -KILL "$monitor"
    wait_until 3 ended "$monitor"
    strace --quiet=all --output=/dev/null --trace=unlinkat --inject=unlinkat:signal=STOP:when=1 "$full" ps \
        3>&- 4>&- >/dev/null 2>&1 &
    TOOL_PIDS+=("$!")
    wait_until 3 child_is_stopped "$!"
    child=$(last_descendant "$!")
    run -0 "$full" ps -a
    detached bird "${alone[@]}" sleep 60
    run -0 "$full" rm -f bird
    kill -CONT "$child"
    wait_until 3 ended "$child"
    run -0 "$full" ps -a
    refute_contains "$output" dead
}

child_is_stopped() {
    grep -q '^State:.*stop' "/proc/$(last_descendant "$1")/status" && [ "$(last_descendant "$1")" != "$1" ]
}

@test "wait: of a box whose monitor was stopped" {
    start_box full run "${alone[@]}" --name bird "$ROOTFS" sh -c 'trap "exit 7" TERM; sleep 64 & wait'
    kill -STOP "$TOOL_PID"
    run -0 "$full" kill -s TERM bird
    run -0 "$full" wait bird
    assert_equal "$output" 7
}

@test "a box that stops all that comes in: 'exec' and 'inspect' end with an error" {
    requires command:strace
    local command pids=()
    detached bird "${alone[@]}" sh -c 'while :; do kill -STOP -1; sleep 0.1; done'
    for command in exec inspect; do
        # They stay long enough on their way to the command to be stopped there.
        timeout --signal=KILL 30 strace -f --quiet=all --output=/dev/null --trace=setsid \
            --inject=setsid:delay_enter=1000000 "$full" "$command" bird >"$BATS_TEST_TMPDIR/$command.out" \
            2>"$BATS_TEST_TMPDIR/$command" 3>&- 4>&- &
        pids+=("$!")
    done
    for command in exec inspect; do
        status=0
        wait "${pids[0]}" || status=$?
        assert_equal "$status" 125
        pids=("${pids[@]:1}")
        run -0 cat "$BATS_TEST_TMPDIR/$command"
        assert_contains "${lines[0]}" "full exec: box bird: no answer"
        assert_contains "${lines[1]}" "hint: "
    done
}

@test "stop: a stopped 'exec' keeps the box from ending, and is named" {
    detached bird "${alone[@]}" sleep 60
    start_box full exec bird sleep 61
    kill -STOP "$TOOL_PID"
    expect_error 125 "was killed, but doesn't end" "$full" stop -t 0 bird
    assert_hint "full exec"
    kill -CONT "$TOOL_PID"
    wait_box
    run -0 "$full" wait bird
    assert_equal "$output" 137
}

# bats test_tags=cgroup_v2
@test "a frozen box: 'exec' and 'inspect' say so; it can be thawed, stopped and removed" {
    requires cgroup_v2
    local group end
    for end in "stop -t 1" "rm -f"; do
        detached bird "${alone[@]}" --memory 64M sleep 60
        group=$(of bird cgroup)
        echo 1 >"$group/cgroup.freeze"
        wait_until 3 grep -qx 'frozen 1' "$group/cgroup.events"
        expect_error 125 "box bird: no answer" "$full" exec bird true
        assert_hint "frozen"
        run -125 --separate-stderr "$full" inspect bird
        assert_contains "$output" "\"cgroup\": \"$group\""
        assert_contains "$stderr" "box bird: no answer"
        echo 0 >"$group/cgroup.freeze"
        run -0 "$full" exec bird true
        echo 1 >"$group/cgroup.freeze"
        # shellcheck disable=SC2086 # words
        run -0 "$full" $end bird
        [ ! -e "$group" ]
        [ "$end" = "rm -f" ] || run -0 "$full" rm bird
    done
}
