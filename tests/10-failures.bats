#!/usr/bin/env bats
# Chapter 10: what becomes of boxes when things go wrong, or many things happen at once.
load lib/helpers
load lib/boxes

@test "kill -9 of the monitor: the box dies, ps tells the truth, and the next command clears the host" {
    local group pid pids
    detached bird sleep 60
    detached rm-bird --rm sleep 60
    group=$(of bird cgroup)
    pids=("$(monitor_of bird)" "$(monitor_of rm-bird)" "$(of bird pid)" "$(of rm-bird pid)")
    kill -KILL "${pids[@]:0:2}"
    for pid in "${pids[@]}"; do
        wait_until 3 ended "$pid"
    done
    run -0 "$full" ps
    assert_equal "${#lines[@]}" 1
    assert_equal "$(ip -br link show type bridge)$(nft list tables)" ""
    assert_equal "$(</proc/sys/net/ipv4/ip_forward)" 0
    [ -z "$group" ] || [ ! -e "$group" ]
    run -0 "$full" ps -a
    assert_contains "$output" "exited (137)"
    refute_contains "$output" rm-bird
    run -0 "$full" rm bird
}

@test "kill -9 of a tool in the foreground: the same" {
    local options
    for options in "" "--init" "--init --user 1234"; do
        # shellcheck disable=SC2086 # several words or none
        start_box full run --name bird $options "$ROOTFS" sleep 60
        kill -KILL "$TOOL_PID"
        wait_until 3 ended "$TOOL_PID"
        wait_until 3 ended "$BOX_PID"
        assert_equal "$(of bird status)" 137
        assert_equal "$(ip -br link show type bridge)$(nft list tables)" ""
        run -0 "$full" rm bird
    done
}

@test "who starts a box in the background is killed before it runs: it does not, and nothing is left" {
    requires command:strace
    local tracer
    strace --follow-forks --quiet=all --output=/dev/null --trace=pivot_root \
        --inject=pivot_root:delay_enter=1000000 "$full" run -d --name bird "$ROOTFS" sleep 60 3>&- 4>&- &
    tracer=$!
    wait_until 3 [ -e "$TEN_STEPS_HOME/boxes/bird" ]
    kill -KILL "$(<"/proc/$tracer/task/$tracer/children")"
    wait_until 5 ended "$tracer"
    nothing_is_claimed
    assert_equal "$(ip -br link show type bridge)$(nft list tables)" ""
    assert_equal "$(</proc/sys/net/ipv4/ip_forward)" 0
}

@test "run -d: if its state can't be written, or nobody can be notified, it fails and keeps no name" {
    requires command:strace
    local call said=""
    for call in '/^rename:1' write:{1..20}; do # which one of its kind; controllers take a write each
        run --separate-stderr strace -f --quiet=all --output=/dev/null --trace="${call%:*}" \
            --inject="${call%:*}:error=ENOSPC:when=${call#*:}" "$full" run -d --name bird "${alone[@]}" "$ROOTFS" true
        said+=$stderr
        [ "$status" -eq 0 ] || assert_contains "$status $stderr" "No space left"
        [ "$status" -ne 0 ] || run -0 "$full" rm -f bird
        wait_until 5 nothing_is_claimed
        [[ $said != *"report that the command runs"* ]] || break # the last one
    done
    assert_contains "$said" "report that the command runs"
}

@test "run -d: whichever call fails as it goes into the background, it reports an error" {
    local call failed=0
    for call in {1..8}; do
        run --separate-stderr "$COURSE/.build/inject" --process=2 --call="$call" --error=24 \
            "$full" run -d --name bird "${alone[@]}" "$ROOTFS" true
        if [ "$status" -eq 0 ]; then
            run -0 "$full" rm -f bird
            continue
        fi
        assert_equal "call $call: $status" "call $call: 125"
        [[ $stderr == "full"*": "*"Too many open files" ]] || fail "call $call: no error, but '$stderr'"
        failed=$((failed + 1))
    done
    [ "$failed" -gt 2 ]
}

# A box that stays for SECONDS where it has still the host's root: half_made SECONDS
half_made() {
    strace --follow-forks --quiet=all --output=/dev/null --trace=pivot_root \
        --inject=pivot_root:delay_enter="${1}000000" "$full" run --name bird "${alone[@]}" "$ROOTFS" sleep 60 \
        3>&- 4>&- >/dev/null 2>&1 &
    TOOL_PIDS+=("$!")
    wait_until 3 [ -e "$TEN_STEPS_HOME/boxes/bird" ]
}

@test "'exec' and 'rm -f' of a box that is still being made wait until it runs" {
    requires command:strace
    half_made 1
    run -0 "$full" exec bird sh -c 'ls -d /probe && [ ! -e /run/course ]'
    run -0 "$full" rm -f bird
    half_made 1
    run -0 "$full" rm -f bird
    nothing_is_claimed
}

@test "rm -f: a box that has the name by then is left alone" {
    requires command:strace
    detached bird --rm "${alone[@]}" sleep 60
    strace --quiet=all --output=/dev/null --trace='/^p?poll' --inject='/^p?poll:delay_exit=3000000' \
        "$full" rm -f bird 3>&- 4>&- &
    local remover=$!
    wait_until 5 [ ! -e "$TEN_STEPS_HOME/boxes/bird" ]
    detached bird "${alone[@]}" sleep 60
    wait "$remover"
    run -0 "$full" exec bird true
}

@test "in a pid namespace below: a box is listed, and no command takes it for dead" {
    requires tool:pid
    detached bird --rm "${alone[@]}" sleep 60
    run -0 "$(tool pid)" "$full" ps
    assert_contains "$output" bird
    local command
    for command in "kill bird" "rm -f bird" "wait bird" "logs -f bird" "exec bird true" "inspect bird"; do
        # shellcheck disable=SC2086 # words
        expect_error 125 "box bird: belongs to another pid namespace" "$(tool pid)" "$full" $command
    done
    run -0 "$full" exec bird true
}

@test "kill -9 of the monitor: a command that has become another user is ended by the next run" {
    detached bird "${alone[@]}" --userns host setpriv --reuid 1000 --regid 1000 --clear-groups sleep 60
    local pid
    pid=$(of bird pid)
    wait_until 3 grep -q $'^Uid:\t1000' "/proc/$pid/status"
    kill -KILL "$(monitor_of bird)"
    run -0 "$full" ps
    wait_until 1 ended "$pid"
    run -0 "$full" rm bird
    run -0 "$full" run "${alone[@]}" "$ROOTFS" true
}

@test "kill -9 of the monitor of a box without a control group: such a command ends at once" {
    start_command unshare --mount sh -c 'mount -t tmpfs none /sys/fs/cgroup; exec "$@"' sh "$full" run "${alone[@]}" \
        --userns host "$ROOTFS" setpriv --reuid 1000 --regid 1000 --clear-groups sleep 60
    wait_until 3 grep -q $'^Uid:\t1000' "/proc/$BOX_PID/status"
    kill -KILL "$TOOL_PID"
    wait_until 3 ended "$BOX_PID"
    run -0 "$full" ps
    assert_equal "${#lines[@]}" 1
}

@test "a process number used again is not taken for the box" {
    detached bird --network=none sleep 60
    local pid monitor
    pid=$(of bird pid) monitor=$(monitor_of bird)
    # Another process has the number that the list names, as if it had been used again.
    sleep 62 3>&- 4>&- &
    local other=$!
    sed -i "s/\"pid\": .*/\"pid\": $other,/" "$TEN_STEPS_HOME/boxes/bird/state"
    run "$full" kill bird
    run ! "$full" exec bird true
    kill -0 "$other"
    kill "$other"
    kill -KILL "$monitor"
    wait_until 3 [ ! -e "/proc/$pid" ]
}

@test "a state file cut off, or of nonsense, harms nobody" {
    detached bird --network=none sleep 60
    local text pid
    pid=$(of bird pid)
    for text in "" '{"pid": 99999999999, "name": 7, "monitor": null}' \
        '{"name": "other", "monitor": 1, "pid": 1, "command": {}, "ports": [1], "environment": "x"}'; do
        printf %s "$text" >"$TEN_STEPS_HOME/boxes/bird/state"
        run -0 "$full" ps
        expect_error 125 "box bird: " "$full" exec bird true
        [ -z "$text" ] || run "$full" kill bird
        kill -0 "$pid"
    done
    kill -KILL "$(status_of "$pid" PPid)"
    wait_until 3 [ ! -e "/proc/$pid" ]
    run -0 "$full" ps -a
    run -0 "$full" run "${alone[@]}" "$ROOTFS" true # finds the group, which no state names any more
}

@test "a state file that can't be opened just now is an error, and stays as it is" {
    requires command:strace
    local state before
    detached bird sleep 60
    run -0 "$full" stop -t 0 bird
    state=$TEN_STEPS_HOME/boxes/bird/state
    before=$(cksum <"$state")
    expect_error 125 "Cannot allocate memory" strace --quiet=all --output=/dev/null --trace-path="$state" \
        --inject=openat:error=ENOMEM "$full" inspect bird
    assert_equal "$(cksum <"$state")" "$before"
}

@test "commands on one box at the same time: no box is half there, and no error but that it has gone" {
    local i
    for i in 1 2 3 4 5 6; do
        run -0 "$full" run -d "${alone[@]}" --name bird "$ROOTFS" sleep 60
        (
            exec 3>&- 4>&- >"$BATS_TEST_TMPDIR/said.$i" 2>&1
            "$full" stop -t 0 bird &
            "$full" rm -f bird &
            "$full" exec bird true &
            "$full" kill bird &
            "$full" ps -a --json | jq -c . &
            "$full" rm -f bird &
            wait
        )
        run ! grep -vE 'No such file or directory|is not running|has ended|clone3: Cannot allocate|^hint:|^bird$|^\[.*\]$' "$BATS_TEST_TMPDIR/said.$i"
        "$full" rm -f bird 2>/dev/null || true
        assert_equal "$(all_boxes)" ""
    done
}

@test "one name, eight at once: one gets it" {
    local i
    for i in 1 2 3 4 5 6 7 8; do
        "$full" run -d "${alone[@]}" --name bird "$ROOTFS" sleep 60 3>&- 4>&- &
    done >"$BATS_TEST_TMPDIR/said" 2>&1
    wait_until 10 sh -c "[ \$(grep -cE '^bird|File exists' '$BATS_TEST_TMPDIR/said') = 8 ]"
    assert_equal "$(grep -cx bird "$BATS_TEST_TMPDIR/said")" 1
    assert_equal "$(all_boxes)" bird
}

@test "a hundred boxes at once: each its own users, and nothing is left" {
    local i names
    for i in {1..100}; do
        "$full" run -d "${alone[@]}" --name "box$i" "$ROOTFS" sleep 600 >/dev/null 3>&- 4>&- &
    done
    wait_until 60 sh -c "[ \$('$full' ps --json | jq '[.[] | select(.pid > 0)] | length') = 100 ]"
    assert_equal "$("$full" ps --json | jq '[.[].first_id] | unique | length')" 100
    run -0 "$full" exec box100 uname -n
    assert_equal "$output" box100
    read -r -a names < <(all_boxes)
    run -0 "$full" rm -f "${names[@]}"
    for i in {1..100}; do
        "$full" run "${alone[@]}" "$ROOTFS" true 3>&- 4>&- || echo "no $i" >>"$BATS_TEST_TMPDIR/failed" &
    done
    wait_until 60 no_process_is_left
    [ ! -e "$BATS_TEST_TMPDIR/failed" ]
}

# How many system calls a whole run takes, that of its command included.
count_calls() {
    strace -f -c -o "$BATS_TEST_TMPDIR/calls" "$full" run "${alone[@]}" "$ROOTFS" true
    awk '$NF == "total" { print $4 }' "$BATS_TEST_TMPDIR/calls"
}

@test "XDG_RUNTIME_DIR that is not there: named, at once" {
    requires userns
    expect_error 125 "claim $PWD/gone/ten-steps/" \
        as_user env "XDG_RUNTIME_DIR=$PWD/gone" "$full" run --network none "$ROOTFS" true
    assert_contains "$stderr" "No such file or directory"
}

@test "a start beside forty boxes takes no more steps than one that looks at eight of them" {
    requires command:strace
    local i before
    count_calls >/dev/null # what is there only the first time
    before=$(count_calls)
    for i in {1..40}; do
        "$full" run -d "${alone[@]}" --name "box$i" "$ROOTFS" sleep 600 >/dev/null 3>&- 4>&- &
    done
    wait_until 60 sh -c "[ \$('$full' ps --json | jq '[.[] | select(.pid > 0)] | length') = 40 ]"
    echo "alone $before, beside forty $(count_calls)"
    [ "$(count_calls)" -le $((before + 120)) ]
}

@test "thirty boxes on the bridge at once: thirty addresses, and nothing is left" {
    local i names
    for i in {1..30}; do
        "$full" run -d --name "box$i" "$ROOTFS" sleep 600 >/dev/null 3>&- 4>&- &
    done
    wait_until 60 sh -c "[ \$('$full' ps --json | jq '[.[].address | select(. != \"\")] | unique | length') = 30 ]"
    run -0 ping -c1 -W5 "$(of box30 address)"
    read -r -a names < <(all_boxes)
    run -0 "$full" rm -f "${names[@]}"
}
