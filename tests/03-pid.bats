#!/usr/bin/env bats
# Chapter 3: process numbers, /proc, and PID 1.
load lib/helpers

# sees PID N: does the /proc in the mount namespace of a process show N processes?
sees() {
    local processes=("/proc/$1/root/proc"/[1-9]*)
    [ "${#processes[@]}" -eq "$2" ]
}

# bats test_tags=core,ex:3-1
@test "the command is process 1 of a pid namespace of its own" {
    start_box pid sleep 60
    assert_isolated "$BOX_PID" pid
    assert_equal "$(numbers_inside "$BOX_PID")" 1
}

# bats test_tags=ex:3-1
@test "it has its own mount namespace for its /proc, and shares all others with the host" {
    start_box pid sleep 60
    assert_isolated "$BOX_PID" mnt
    assert_shared "$BOX_PID" uts ipc user net cgroup
}

# bats test_tags=core,ex:3-3
@test "/proc shows the processes of the box and no others" {
    start_box pid sh -c 'sleep 61 & exec sleep 62'
    # shellcheck disable=SC2317 # called by wait_until
    shows_both() {
        [[ $(cat "/proc/$BOX_PID/root/proc"/[1-9]*/cmdline | tr '\0' ' ') == *'sleep 6'[12]*'sleep 6'[12]* ]]
    }
    wait_until 5 shows_both
    local processes=("/proc/$BOX_PID/root/proc"/[1-9]*)
    assert_equal "${#processes[@]} processes in /proc" "2 processes in /proc"
    assert_equal "$(stat -f -c %T "/proc/$BOX_PID/root/proc")" proc
}

# bats test_tags=ex:3-1
@test "a process of the host can't be named inside" {
    sleep 63 3>&- &
    TOOL_PIDS+=("$!")
    run -1 "$(tool pid)" "$PROBE" kill "$!" TERM
    assert_contains "$output" "No such process"
    [ -d "/proc/$!" ]
}

@test "the host's own /proc is untouched, although its mounts are shared" {
    local before
    before=$(grep -c ' /proc ' "$HOST_PROC/mountinfo")
    start_box pid sleep 60
    assert_equal "$(grep -c ' /proc ' "$HOST_PROC/mountinfo")" "$before"
    assert_contains "$(tr '\0' ' ' <"/proc/$BOX_PID/cmdline")" "sleep 60"
}

# bats test_tags=core,ex:3-2
@test "the mounts of the box are private" {
    start_box pid sleep 60
    run grep -E ' (shared|master):' "/proc/$BOX_PID/mountinfo"
    [ "$status" -eq 1 ] || fail "expected no mount of the box to be shared or a slave, got: ${lines[0]}"
}

# bats test_tags=ex:3-3
@test "/proc is mounted without set-user-ID programs, devices, or programs at all" {
    start_box pid sleep 60
    assert_equal "$(awk '$5 == "/proc" { print $6 }' "/proc/$BOX_PID/mountinfo" | tail -n 1)" \
        rw,nosuid,nodev,noexec,relatime
}

# bats test_tags=ex:3-1
@test "--keep-proc: a pid namespace, but /proc still shows the host" {
    start_box pid --keep-proc sleep 60
    assert_isolated "$BOX_PID" pid
    assert_shared "$BOX_PID" mnt
    run -0 "$(tool pid)" --keep-proc "$PROBE" cat "/proc/$HOST_ITSELF/comm"
    assert_equal "$output" "$(<"$HOST_PROC/comm")"
}

# bats test_tags=ex:3-1
@test "--keep-proc: even the command's own entry in /proc is missing or another's" {
    run -0 "$(tool pid)" --keep-proc sh -c 'cat /proc/$$/cmdline | tr "\0" " "'
    refute_contains "$output" "cmdline"
}

# bats test_tags=ex:3-3
@test "orphans become children of PID 1; if it does not reap them they stay as zombies" {
    run -0 "$(tool pid)" "$PROBE" zombie
    assert_equal "$output" "zombie"
}

# bats test_tags=core,ex:3-4
@test "--init: a small init is PID 1, and the command its child" {
    start_box pid --init sleep 60
    assert_equal "$(numbers_inside "$BOX_PID")" 2
    local init
    init=$(status_of "$BOX_PID" PPid)
    assert_equal "$(numbers_inside "$init")" 1
}

# bats test_tags=ex:3-4
@test "--init: orphans are reaped" {
    run -0 "$(tool pid)" --init "$PROBE" zombie
    assert_equal "$output" "reaped"
}

@test "PID 1 does not get a signal from inside that it has no handler for" {
    start_box pid sleep 60
    run -0 inside "$BOX_PID" pid -- kill -TERM 1
    run -0 inside "$BOX_PID" pid -- kill -KILL 1
    run -0 kill -0 "$BOX_PID"
    [[ $(status_of "$BOX_PID" State) == S* ]]
}

# bats test_tags=ex:3-4
@test "PID 1 does not get SIGTERM from the host either; with --init the command gets it" {
    # WINCH has the higher number: once it has arrived, TERM was passed on before.
    # shellcheck disable=SC2016 # that shell's variable
    start_box pid sh -c 'trap ": >\"$0\"" WINCH; sleep 64 & wait; wait' "$BATS_TEST_TMPDIR/got"
    local init
    init=$(descendants_of "$TOOL_PID" | head -n 1)
    kill -TERM "$TOOL_PID"
    kill -WINCH "$TOOL_PID"
    wait_until 5 test -e "$BATS_TEST_TMPDIR/got"
    run -0 kill -0 "$init"
    start_box pid --init sleep 60
    kill -TERM "$TOOL_PID"
    wait_box
    assert_equal "$status" 143
}

# bats test_tags=ex:3-3
@test "all processes of the box die with PID 1" {
    start_box pid sh -c 'sleep 64 & setsid sleep 65 & exec sleep 66'
    wait_until 5 sees "$BOX_PID" 3
    local first others
    first=$(descendants_of "$TOOL_PID" | head -n 1)
    others=$(descendants_of "$first")
    kill -KILL "$first"
    wait_box
    assert_equal "$status" 137
    for pid in $others; do
        wait_until 5 ended "$pid"
    done
}

# bats test_tags=ex:3-1
@test "--init: when the command ends, the processes it left behind end too" {
    local others
    mkfifo "$BATS_TEST_TMPDIR/end"
    start_box pid --init sh -c 'setsid sleep 67 & read -r _ <"$0"' "$BATS_TEST_TMPDIR/end"
    others=$(descendants_of "$TOOL_PID")
    echo >"$BATS_TEST_TMPDIR/end"
    wait_box
    assert_equal "$status" 0
    for pid in $others; do
        wait_until 5 ended "$pid"
    done
}

# bats test_tags=ex:3-4
@test "--init: the command's status is the tool's" {
    run -7 "$(tool pid)" --init "$PROBE" exit 7
    run -137 "$(tool pid)" --init sh -c 'kill -KILL $$'
    expect_error 127 "No such file or directory" "$(tool pid)" --init /no/such/program
}

# bats test_tags=ex:3-4
@test "--init: init holds no file that the caller had open" {
    exec 9<"$BATS_TEST_TMPDIR"
    start_box pid --init sleep 60
    exec 9<&-
    run -0 find "/proc/$(status_of "$BOX_PID" PPid)/fd" -lname "$BATS_TEST_TMPDIR"
    assert_equal "$output" ""
}

# bats test_tags=ex:3-4
@test "if the tool is killed outright, init and command die with it" {
    start_box pid --init sleep 60
    local pids
    pids=$(descendants_of "$TOOL_PID")
    [ "$(wc -w <<<"$pids")" -ge 2 ]
    stop_boxes
    for pid in $pids; do
        wait_until 5 ended "$pid"
    done
}

@test "after a chroot it fails, and says why" {
    local root=$BATS_TEST_TMPDIR/root
    "$COURSE/01-chroot/mkrootfs" "$root" true
    cp "$(tool pid)" "$root/bin"
    expect_error 125 "make the mounts private: Invalid argument" "$COURSE/01-chroot/chroot" "$root" pid true
    assert_hint "chroot"
}

@test "an ordinary user learns why it fails, and the way out" {
    expect_error 125 "Operation not permitted" as_user "$(tool pid)" true
    assert_hint root
}
