#!/usr/bin/env bats
# Chapter 10: what the processes of a box may do, who they are, and the terminal they sit at.
load lib/helpers

setup() {
    host_remember
    requires root tool:full
    make_rootfs
    install "$COURSE/.build/escape" "$ROOTFS/escape"
    full=$(tool full)
    rm -f "$ROOTFS"/etc/{passwd,group} # a check that failed may have left something else there
    printf '%s\n' root:x:0:0:root:/root:/bin/sh ann:x:1000:1001::/home/ann:/bin/sh \
        'bad:x:7' 'worse:x:-1:0::/:/bin/sh' 'far:x:70000:70000::/:/bin/sh' >"$ROOTFS/etc/passwd"
    printf '%s\n' root:x:0: ann:x:1001: staff:x:50:bob,ann adm:x:4:annabel,joann \
        >"$ROOTFS/etc/group"
}

# A box that was killed outright is cleared away by the next command.
teardown() {
    stop_boxes
    "$(tool full)" run --network none "$ROOTFS" true || true
    host_compare
}

# The set as a number; capabilities CHOWN(0) … as in the kernel's <linux/capability.h>.
bits() {
    local bit set=0
    for bit in "$@"; do
        set=$((set | 1 << bit))
    done
    printf '%016x\n' "$set"
}
USUAL=(0 1 3 4 5 6 7 8 10 18 31)

# capabilities [OPTION]…: what a box with the options has, seen from outside.
capabilities() {
    start_box full run --network none "$@" "$ROOTFS" sleep 60
    assert_equal "$(status_of "$BOX_PID" CapInh)" "$(bits)"
    assert_equal "$(status_of "$BOX_PID" CapAmb)" "$(bits)"
    assert_equal "$(status_of "$BOX_PID" CapPrm)" "$(status_of "$BOX_PID" CapEff)"
}

# bats test_tags=core,ex:10-3
@test "what a box must not have, as seen from outside, whoever its root is" {
    local options bit
    for options in "" "--userns host"; do
        # shellcheck disable=SC2086 # two words or none
        capabilities $options
        assert_isolated "$BOX_PID" mnt pid ipc uts net
        # SYS_MODULE SYS_RAWIO SYS_PTRACE SYS_ADMIN SYS_BOOT SYS_TIME NET_ADMIN
        for bit in 16 17 19 21 22 25 12; do
            assert_equal "capability $bit: $((0x$(status_of "$BOX_PID" CapEff) >> bit & 1))" "capability $bit: 0"
        done
        assert_equal "$(status_of "$BOX_PID" NoNewPrivs)" 1
        assert_equal "$(status_of "$BOX_PID" Seccomp)" 2
    done
}

# bats test_tags=core,ex:10-4
@test "capabilities: what was dropped is out of the bounding set, as seen from outside" {
    start_box full run --network none --cap-drop ALL "$ROOTFS" sleep 60
    assert_isolated "$BOX_PID" mnt pid
    assert_equal "$(status_of "$BOX_PID" CapBnd)" "$(bits)"
    start_box full run --network none --cap-drop ALL --cap-add NET_RAW "$ROOTFS" sleep 60
    assert_equal "$(status_of "$BOX_PID" CapBnd)" "$(bits 13)"
    assert_equal "$(status_of "$BOX_PID" CapEff)" "$(bits 13)"
}

# bats test_tags=ex:10-4
@test "capabilities: the short list, and nothing inheritable or ambient" {
    local options
    for options in "" "--userns host"; do
        # shellcheck disable=SC2086 # two words or none
        capabilities $options
        assert_equal "$(status_of "$BOX_PID" CapEff)" "$(bits "${USUAL[@]}")"
        assert_equal "$(status_of "$BOX_PID" CapBnd)" "$(bits "${USUAL[@]}")"
        # An init has not been executed, which would lower them once more.
        # shellcheck disable=SC2086 # two words or none
        capabilities $options --init
        assert_equal "$(status_of "$(status_of "$BOX_PID" PPid)" CapEff)" "$(bits "${USUAL[@]}")"
        assert_equal "$(status_of "$(status_of "$BOX_PID" PPid)" CapPrm)" "$(bits "${USUAL[@]}")"
    done
}

# bats test_tags=ex:10-4
@test "capabilities: --cap-add and --cap-drop, in any order and spelling" {
    capabilities --cap-add net_raw --cap-drop CAP_CHOWN
    assert_equal "$(status_of "$BOX_PID" CapBnd)" "$(bits "${USUAL[@]:1}" 13)"
    capabilities --cap-add CAP_Net_Raw --cap-drop ALL
    assert_equal "$(status_of "$BOX_PID" CapEff)" "$(bits 13)"
    capabilities --cap-drop all
    assert_equal "$(status_of "$BOX_PID" CapBnd)" "$(bits)"
    capabilities --cap-drop CHOWN --cap-add ALL
    assert_equal "$((0x$(status_of "$BOX_PID" CapBnd) & 1))" 0
    [ "$((0x$(status_of "$BOX_PID" CapBnd) >> 21 & 1))" -eq 1 ] || fail "no CAP_SYS_ADMIN in ALL"
}

# bats test_tags=ex:10-4
@test "capabilities: those that the tool was started with, inheritable and ambient, stay behind" {
    start_command setpriv --inh-caps +chown,+net_raw --ambient-caps +chown,+net_raw \
        "$full" run --network none --userns host "$ROOTFS" sleep 60
    assert_equal "$(status_of "$BOX_PID" CapInh)" "$(bits)"
    assert_equal "$(status_of "$BOX_PID" CapAmb)" "$(bits)"
    assert_equal "$(status_of "$BOX_PID" CapBnd)" "$(bits "${USUAL[@]}")"
}

# bats test_tags=ex:10-3
@test "capabilities: one that the tool itself lacks can't be added; ALL takes what is there" {
    expect_error 125 "the box can't have CAP_SYS_TIME" \
        setpriv --bounding-set -sys_time "$full" run --network none --userns host --cap-add SYS_TIME "$ROOTFS" true
    start_command setpriv --bounding-set -sys_time "$full" run --network none --userns host --cap-add ALL "$ROOTFS" sleep 60
    assert_equal "$((0x$(status_of "$BOX_PID" CapPrm) >> 25 & 1))" 0
    assert_equal "$((0x$(status_of "$BOX_PID" CapPrm) >> 21 & 1))" 1
}

@test "capabilities: an unknown one is an error" {
    expect_error 125 "unknown capability 'FLY'" "$full" run --network none --cap-add FLY "$ROOTFS" true
    assert_hint capabilities
}

# bats test_tags=ex:10-3
@test "capabilities: a user other than root has none" {
    start_box full run --network none --user ann --cap-add NET_RAW "$ROOTFS" sleep 60
    assert_equal "$(status_of "$BOX_PID" CapEff)" "$(bits)"
    assert_equal "$(status_of "$BOX_PID" CapPrm)" "$(bits)"
}

# bats test_tags=ex:10-3
@test "no_new_privs and the filter are on; --seccomp off takes the filter away" {
    start_box full run --network none "$ROOTFS" sleep 60
    assert_equal "$(status_of "$BOX_PID" NoNewPrivs)" 1
    assert_equal "$(status_of "$BOX_PID" Seccomp)" 2
    start_box full run --network none --seccomp off "$ROOTFS" sleep 60
    assert_equal "$(status_of "$BOX_PID" NoNewPrivs)" 1
    assert_equal "$(status_of "$BOX_PID" Seccomp)" 0
}

@test "the bounding set does not depend on what covers /proc" {
    local bound
    run -0 "$full" run --network none "$ROOTFS" grep CapBnd /proc/self/status
    bound=$output
    mkdir -p "$BATS_TEST_TMPDIR/kernel"
    echo 3 >"$BATS_TEST_TMPDIR/kernel/cap_last_cap"
    run -0 "$full" run --network none -v "$BATS_TEST_TMPDIR/kernel:/proc/sys/kernel" "$ROOTFS" \
        grep CapBnd /proc/self/status
    assert_equal "$output" "$bound"
}

# bats test_tags=core,ex:10-2
@test "the filter refuses a namespace inside, which --seccomp off allows, as seen from outside" {
    local script='unshare --user sleep 61 || exec sleep 60' above # 61 has a new namespace, 60 none
    start_box full run --network none "$ROOTFS" sh -c "$script"
    wait_until 5 box_waits sleep
    assert_isolated "$BOX_PID" mnt pid
    assert_equal "$(tr '\0' ' ' <"/proc/$BOX_PID/cmdline") $(status_of "$BOX_PID" Seccomp)" "sleep 60  2"
    start_box full run --network none --seccomp off "$ROOTFS" sh -c "$script"
    wait_until 5 box_waits sleep
    assert_equal "$(tr '\0' ' ' <"/proc/$BOX_PID/cmdline") $(status_of "$BOX_PID" Seccomp)" "sleep 61  0"
    above=$(status_of "$BOX_PID" PPid)
    assert_differ "$(namespace_of "$BOX_PID" user)" "$(namespace_of "$above" user)"
}

# bats test_tags=ex:10-2
@test "the filter as compiled says what the list says, for each call number" {
    local filter=$BIN_DIR/.build/filter
    [ -x "$filter" ] || filter=$COURSE/.build/filter # ready programs, without their sources
    run -0 "$filter"
    [[ $output =~ ^([0-9]+)\ instructions,\ at\ most\ ([0-9]+)\ steps$ ]]
    # A tree: a list of this length would need as many steps as there are calls.
    [ "${BASH_REMATCH[2]}" -lt 30 ] || fail "too many steps for a tree"
}

# bats test_tags=ex:10-3
@test "the filter lets the kernel's answer through, or its own" {
    # keyctl, add_key, io_uring_setup, swapoff, userfaultfd; others than x86-64 have the same numbers
    local call calls=(219 217 425 225 282)
    [ "$(uname -m)" != x86_64 ] || calls=(250 248 425 168 323)
    # No capability is missing with ALL, so what is refused is refused by the filter.
    for call in "${calls[@]}"; do
        run -1 "$full" run --network none --userns host --cap-add ALL "$ROOTFS" /escape call "$call"
        assert_contains "$output" "Operation not permitted"
    done
    run -1 "$full" run --network none "$ROOTFS" /escape call 470
    assert_contains "$output" "Function not implemented"
}

# bats test_tags=ex:10-3
@test "--user: names and numbers, as the box's own files have them" {
    start_box full run --network none --userns host --user ann "$ROOTFS" sleep 60
    assert_equal "$(status_of "$BOX_PID" Uid)" $'1000\t1000\t1000\t1000'
    assert_equal "$(status_of "$BOX_PID" Gid)" $'1001\t1001\t1001\t1001'
    assert_equal "$(status_of "$BOX_PID" Groups | xargs)" 50
    start_box full run --network none --userns host --user 1000:staff "$ROOTFS" sleep 60
    assert_equal "$(status_of "$BOX_PID" Gid)" $'50\t50\t50\t50'
    assert_equal "$(status_of "$BOX_PID" Groups | xargs)" ""
    start_box full run --network none --userns host --user 4321:8765 "$ROOTFS" sleep 60
    assert_equal "$(status_of "$BOX_PID" Uid)" $'4321\t4321\t4321\t4321'
    assert_equal "$(status_of "$BOX_PID" Gid)" $'8765\t8765\t8765\t8765'
    run -0 "$full" run --network none --user ann "$ROOTFS" sh -c 'id -u; id -g; id -G; echo $HOME'
    assert_equal "${lines[*]}" "1000 1001 1001 50 /home/ann"
}

# bats test_tags=ex:10-3
@test "--user: the host's groups don't come along" {
    start_command setpriv --groups 7777 "$full" run --network none --userns host "$ROOTFS" sleep 60
    refute_contains "$(status_of "$BOX_PID" Groups)" 7777
}

# bats test_tags=ex:10-3
@test "--user: those that are not there, malformed or not mapped are errors" {
    local user
    for user in nobody bad worse '-1' 4294967295 99999999999 'ann:nogroup'; do
        run -125 "$full" run --network none --user="$user" "$ROOTFS" true
        assert_contains "$output" "not found in the box's /etc/"
    done
    expect_error 125 "become group 70000: Invalid argument" "$full" run --network none --user far "$ROOTFS" true
    assert_hint "user namespace"
}

@test "--user: an /etc/passwd that is a link to the host's, or no file, is not followed" {
    rm "$ROOTFS/etc/passwd"
    ln -s "$BATS_TEST_TMPDIR/passwd" "$ROOTFS/etc/passwd"
    echo 'eve:x:66:66::/:/bin/sh' >"$BATS_TEST_TMPDIR/passwd"
    run -125 "$full" run --network none --user eve "$ROOTFS" true
    rm "$ROOTFS/etc/passwd"
    mkfifo "$ROOTFS/etc/passwd"
    expect_error 125 "is not a file" "$full" run --network none --user eve "$ROOTFS" true
    rm "$ROOTFS/etc/passwd"
}

@test "ping works without a capability, though its file asks for one" {
    requires command:ping command:setcap
    "$(tool mkrootfs)" "$ROOTFS" ping
    setcap cap_net_raw+ep "$ROOTFS/bin/ping"
    run -0 "$full" run --network none "$ROOTFS" ping -c 1 -W 2 127.0.0.1
    run -0 "$full" run --network none --userns host "$ROOTFS" ping -c 1 -W 2 127.0.0.1
    run -0 "$full" run --network none --user ann "$ROOTFS" ping -c 1 -W 2 127.0.0.1
}

@test "no descriptor but 0, 1 and 2, in an init neither" {
    exec 9<"$BATS_TEST_TMPDIR"
    start_box full run --network none --init "$ROOTFS" sleep 60
    assert_equal "$(find "/proc/$BOX_PID/fd" -type l -printf '%f ')" "0 1 2 "
    run -0 find "/proc/$(status_of "$BOX_PID" PPid)/fd" -type l -printf '[%l]'
    refute_contains "$output" "[$BATS_TEST_TMPDIR]"
    exec 9<&-
}

@test "what a monitor shares with no other is at most 160 kB while it waits; with a bridge, 288 kB" {
    [[ $(file -L "$full" 2>/dev/null) != *"dynamically linked"* ]] ||
        fail "cannot run here: it is promised of a static build only"
    local -A most=([none]=160 [bridge]=288)
    local network
    for network in none bridge; do
        start_box full run --network "$network" "$ROOTFS" sleep 60
        wait_until 5 monitor_is_small "${most[$network]}" || { cat "/proc/$TOOL_PID/smaps_rollup" && return 1; }
    done
}

monitor_is_small() {
    [ "$(awk '/^Anonymous:/ { print $2 }' "/proc/$TOOL_PID/smaps_rollup")" -le "$1" ]
}

# on_terminal COMMAND: run a shell command on a terminal of 30 by 90, and print what comes out.
on_terminal() {
    timeout "$RUN_LIMIT" script --quiet --return --command "stty rows 30 cols 90; $1" /dev/null </dev/null |
        tr -d '\r'
}

@test "-t: a terminal of the box's own, and the size of the host's" {
    run -0 on_terminal "$full run --network none -t $ROOTFS sh -c 'tty; stty size; ls -l /dev/console'"
    assert_contains "$output" /dev/pts/0
    assert_contains "$output" "30 90"
    assert_contains "$output" "136,"
    # From the first moment on, however long the monitor takes to come to the terminal.
    run -0 on_terminal "strace -f -o /dev/null -e inject=signalfd4:delay_enter=500000 \
        $full run --network none -t $ROOTFS stty size"
    assert_contains "$output" "30 90"
    run -0 on_terminal "$full run --network none $ROOTFS sh -c 'tty; test -e /dev/console'; true"
    refute_contains "$output" /dev/pts/0
}

@test "-t: the terminal is the user's" {
    run -0 on_terminal "$full run --network none -u 1234:2345 -t $ROOTFS sh -c 'stat -c %u \$(tty); echo >/dev/tty && echo opened'"
    assert_equal "$(grep -aoE "1234|opened" <<<"$output" | xargs)" "1234 opened"
}

@test "-t: the size follows the host's" {
    run -0 on_terminal "(until test -e $BATS_TEST_TMPDIR/up; do sleep 0.05; done; stty rows 44 cols 111 </dev/tty) &
        $full run --network none -v $BATS_TEST_TMPDIR:/mnt -t $ROOTFS sh -c 'stty size; >/mnt/up
            while test \"\$(stty size)\" != \"44 111\"; do sleep 0.05; done; echo follows'"
    assert_contains "$output" "30 90"
    assert_contains "$output" follows
}

@test "-t: all output comes out, and the command's status" {
    run -0 sh -c "$full run --network none -t $ROOTFS seq 20000 </dev/null | wc -l"
    assert_equal "$output" 20000
    # Also what the terminal still holds when the monitor learns that the box has ended.
    run -0 sh -c "strace -f -o /dev/null -e inject=signalfd4:delay_enter=1000000 \
        $full run --network none -t $ROOTFS seq 500 </dev/null | wc -l"
    assert_equal "$output" 500
    run -7 sh -c "$full run --network none -t $ROOTFS sh -c 'exit 7' </dev/null"
}

@test "-t: standard input that is not a terminal is typed in, its end too" {
    run -0 sh -c "printf 'cat\nhello\n' | $full run --network none -t $ROOTFS sh"
    assert_equal "$(grep -c hello <<<"$output")" 2 # typed, and from cat
}

@test "-t: nobody reads the output any more: the box's terminal hangs up" {
    run -0 sh -c "$full run --network none -t $ROOTFS yes </dev/null | head -1"
    assert_equal "${output%$'\r'}" y
}

# bats test_tags=ex:10-3
@test "-t: the host's terminal is raw, and as before once a signal has ended the box" {
    run on_terminal "before=\$(stty -g); $full run --network none --init -t $ROOTFS sleep 60 </dev/tty & tool=\$!;
        until [ \"\$(stty -g)\" != \"\$before\" ]; do sleep 0.05; done; echo raw;
        kill -TERM \$tool; for i in \$(seq 400); do
        [ \"\$(stty -g)\" != \"\$before\" ] || break; sleep 0.05; done;
        [ \"\$(stty -g)\" = \"\$before\" ] && echo restored; kill -9 \$tool 2>/dev/null; true"
    assert_contains "$output" raw
    assert_contains "$output" restored
}

@test "-t: job control, Ctrl-Z and Ctrl-C reach the box and not the tool" {
    local keys=$BATS_TEST_TMPDIR/keys
    mkfifo "$keys"
    timeout "$RUN_LIMIT" script --quiet --return --command \
        "$full run --network none -t $ROOTFS bash --norc" "$BATS_TEST_TMPDIR/typescript" \
        <"$keys" >"$BATS_TEST_TMPDIR/out" 3>&- &
    TOOL_PIDS+=("$!")
    exec 8>"$keys"
    type_and_wait 'echo $((6*7))\r' 42
    type_and_wait 'sleep 33; echo ended-$?\r' ''
    wait_until 5 pgrep --full --exact 'sleep 33'
    type_and_wait '\003' '\^C'
    type_and_wait 'sleep 34\r' ''
    wait_until 5 pgrep --full --exact 'sleep 34'
    type_and_wait '\032' Stopped
    # The shell asks back at "exit" as long as it knows of a job.
    type_and_wait 'kill %%1; wait %%1; until ! jobs %%1; do :; done; echo $((40+2)) left\r' '42 left'
    type_and_wait 'exit 5\r' ''
    status=0
    wait "${TOOL_PIDS[-1]}" || status=$?
    exec 8>&-
    assert_equal "$status" 5
}

# Type KEYS (as printf has them) and wait until TEXT has come out.
type_and_wait() {
    # shellcheck disable=SC2059 # it is a format
    printf "$1" >&8
    wait_until 5 grep -q -e "$2" "$BATS_TEST_TMPDIR/out"
}
