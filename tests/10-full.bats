#!/usr/bin/env bats
# Chapter 10: all layers around one command, as root and as an ordinary user.
load lib/helpers

setup() {
    host_remember
    make_rootfs
    full=$(tool full)
    # Chapter 7's layer has checks of its own. Without it a box has loopback alone.
    alone=(--network none)
}

# A box that is killed leaves its group, which the next one removes.
teardown() {
    stop_boxes
    "$full" run "${alone[@]}" "$ROOTFS" true || true
    host_compare
}

# in_full [OPTION]… SCRIPT: run a shell script in a new box.
in_full() {
    "$full" run "${alone[@]}" "${@:1:$#-1}" "$ROOTFS" /bin/sh -c "${*: -1}"
}

@test "one command, isolated in every layer" {
    start_box full run "${alone[@]}" "$ROOTFS" sleep 60
    assert_isolated "$BOX_PID" mnt uts pid ipc user cgroup net
}

@test "--userns host: the same without a user namespace" {
    start_box full run "${alone[@]}" --userns host "$ROOTFS" sleep 60
    assert_isolated "$BOX_PID" mnt uts pid ipc
    assert_shared "$BOX_PID" user
}

@test "an ordinary user gets all that too, in a user namespace" {
    requires userns
    make_rootfs user
    start_command as_user "$full" run "${alone[@]}" "$ROOTFS" sleep 60
    assert_isolated "$BOX_PID" mnt uts pid ipc user
    assert_equal "$(stat -c %u "/proc/$BOX_PID")" 65534
    run -0 as_user "$full" run "${alone[@]}" "$ROOTFS" id -u
    assert_equal "$output" 0
}

@test "the root filesystem is the root, and the old root is gone" {
    start_box full run "${alone[@]}" "$ROOTFS" sleep 60
    assert_equal "$(stat -L -c %d:%i "/proc/$BOX_PID/root")" "$(stat -c %d:%i "$ROOTFS")"
    run -1 sh -c "cut -d' ' -f5 /proc/$BOX_PID/mountinfo | grep -E '^/(run|tmp|mnt)'"
}

@test "a file of the host can't be reached, not by the classic way out either" {
    local secret
    secret=$(random_name)
    echo "$secret" >"$BATS_TEST_TMPDIR/secret"
    run ! in_full "cat $BATS_TEST_TMPDIR/secret"
    refute_contains "$output" "$secret"
    install "$COURSE/01-chroot/escape" "$ROOTFS/climb"
    run -1 "$full" run "${alone[@]}" "$ROOTFS" /climb cat "$BATS_TEST_TMPDIR/secret"
    refute_contains "$output" "$secret"
}

@test "--hostname, and the host keeps its own" {
    local name before
    name=$(random_name) before=$(uname -n)
    run -0 in_full --hostname "$name" 'uname -n'
    assert_equal "$output" "$name"
    assert_equal "$(uname -n)" "$before"
}

@test "without --hostname each box has a random name" {
    local first
    run -0 in_full 'uname -n'
    first=$output
    [[ $first =~ ^[0-9a-f]{12}$ ]]
    run -0 in_full 'uname -n'
    assert_differ "$output" "$first"
}

@test "the command is PID 1, and /proc shows the box alone" {
    run -0 in_full 'echo $$; echo /proc/[1-9]*'
    assert_equal "$output" "1
/proc/1"
}

# bats test_tags=core,ex:10-5
@test "exec: in all of the box's namespaces, its root and its group, as seen from outside" {
    local first name kind
    export TEN_STEPS_HOME=$BATS_TEST_TMPDIR/store
    name=$(random_name)
    start_box full run "${alone[@]}" --name "$name" "$ROOTFS" sleep 60
    first=$BOX_PID
    assert_isolated "$first" mnt uts pid ipc user net
    start_box full exec "$name" sleep 61
    assert_differ "$BOX_PID" "$first"
    for kind in mnt uts pid ipc user net cgroup; do
        assert_equal "$kind $(namespace_of "$BOX_PID" $kind)" "$kind $(namespace_of "$first" $kind)"
    done
    assert_equal "$(cat "/proc/$BOX_PID/cgroup")" "$(cat "/proc/$first/cgroup")"
    assert_equal "$(stat -L -c %d:%i "/proc/$BOX_PID/root")" "$(stat -L -c %d:%i "/proc/$first/root")"
    assert_equal "$(grep -E '^(NoNewPrivs|Seccomp|CapBnd)' "/proc/$BOX_PID/status")" \
        "$(grep -E '^(NoNewPrivs|Seccomp|CapBnd)' "/proc/$first/status")"
}

# bats test_tags=ex:10-3
@test "--init: the command is the child of a PID 1 that reaps" {
    run -0 "$full" run "${alone[@]}" --init "$ROOTFS" /probe zombie
    assert_equal "$output" reaped
    start_box full run "${alone[@]}" --init "$ROOTFS" sleep 60
    [[ $(status_of "$BOX_PID" NSpid) =~ ^"$BOX_PID"[[:space:]]+2$ ]]
    kill -TERM "$TOOL_PID"
    wait_box
    assert_equal "$status" 143
}

@test "IPC objects are the box's own, seen in both directions" {
    local key=$((RANDOM + 1000))
    "$PROBE" queue-make "$key"
    run -0 "$full" run "${alone[@]}" "$ROOTFS" /probe queue-make "$key"
    ipcrm --queue-key "$key"
    "$PROBE" mq-make /theirs
    run -0 in_full '/probe mq-make /ours && ls /dev/mqueue'
    assert_equal "$output" ours
    "$PROBE" mq-unlink /theirs
}

@test "/dev has what programs expect and none of the machine's devices" {
    start_box full run "${alone[@]}" "$ROOTFS" sleep 60
    assert_equal "$(cd "/proc/$BOX_PID/root/dev" && stat -c '%n %t:%T' full null random urandom zero |
        tr '\n' ' ')" "full 1:7 null 1:3 random 1:8 urandom 1:9 zero 1:5 "
    run -0 in_full 'echo gone >/dev/null && head -c 4 /dev/zero | wc -c && ls /dev/pts'
    run -0 find "/proc/$BOX_PID/root/dev/" -xdev -type b
    assert_equal "$output" ""
}

@test "the flags of what is mounted: no set-user-ID programs anywhere, devices in /dev alone" {
    local kind volume=$BATS_TEST_TMPDIR/volume
    mkdir -p "$volume/below" "$BATS_TEST_TMPDIR/other"
    mount --bind "$BATS_TEST_TMPDIR/other" "$volume/below" # of one kind: ids can be mapped on both, or on neither
    for kind in auto host; do
        start_box full run "${alone[@]}" --userns $kind -v "$volume:/mnt" "$ROOTFS" sleep 60
        assert_equal "$(awk '$5 ~ "^/(proc|sys|dev|dev/pts|dev/shm|dev/mqueue)$" { print $5, $6 }' \
            "/proc/$BOX_PID/mountinfo" | sort)" \
            '/dev rw,nosuid,noexec,relatime
/dev/mqueue rw,nosuid,nodev,noexec,relatime
/dev/pts rw,nosuid,noexec,relatime
/dev/shm rw,nosuid,nodev,relatime
/proc rw,nosuid,nodev,noexec,relatime
/sys ro,nosuid,nodev,noexec,relatime'
        assert_equal "$(awk '$6 !~ "nosuid" { print $5 }' "/proc/$BOX_PID/mountinfo")" ""
        assert_equal "$(awk '$6 ~ "nodev" { print $5 }' "/proc/$BOX_PID/mountinfo" | grep -xE '/|/mnt|/mnt/below' | sort | xargs)" \
            "/ /mnt /mnt/below"
    done
    umount "$volume/below"
}

@test "/sys is read-only" {
    start_box full run "${alone[@]}" "$ROOTFS" sleep 60
    grep -q ' /sys ro' "/proc/$BOX_PID/mountinfo"
    run ! in_full 'ls /sys/kernel && echo 1 >/sys/kernel/mm/ksm/run'
    assert_contains "$output" "mm"
}

@test "the environment is not the host's, but for TERM" {
    local secret
    secret=$(random_name)
    run -0 env TERM=vt100 "SENTINEL=$secret" "$full" run "${alone[@]}" --hostname bird "$ROOTFS" /usr/bin/env
    refute_contains "$output" "$secret"
    assert_contains "$output" "TERM=vt100"
    assert_contains "$output" "HOSTNAME=bird"
    assert_contains "$output" "PATH=/"
}

@test "--env sets a variable, or hands one's own down" {
    local secret
    secret=$(random_name)
    run -0 env "SENTINEL=$secret" "$full" run "${alone[@]}" --env SENTINEL --env "NAME=a b" --env NONE "$ROOTFS" \
        /usr/bin/env
    assert_contains "$output" "SENTINEL=$secret"
    assert_contains "$output" "NAME=a b"
    refute_contains "$output" "NONE"
    expect_error 125 "expected NAME=VALUE or NAME" "$full" run "${alone[@]}" --env =value "$ROOTFS" true
}

@test "--workdir, and / without it" {
    run -0 in_full pwd
    assert_equal "$output" /
    run -0 in_full --workdir /usr/bin pwd
    assert_equal "$(basename "$output")" bin
    expect_error 125 "working directory /etc/passwd" "$full" run "${alone[@]}" --workdir /etc/passwd "$ROOTFS" true
}

@test "--workdir: one that isn't there is made, mode 755, for the user, and inside the root" {
    requires userns
    local place out=$BATS_TEST_TMPDIR/out options
    place=/$(random_name)
    for options in --userns=auto --userns=host --read-only; do
        run -0 "$full" run "${alone[@]}" "$options" -u 1234:2345 -w "$place/a/b" "$ROOTFS" pwd
        assert_equal "$output" "$place/a/b"
        assert_equal "$(stat -c '%a %u:%g' "$ROOTFS$place/a/b")" "755 1234:2345"
        rm -r "${ROOTFS:?}$place"
    done
    mkdir -p "$out" "$ROOTFS$out"
    ln -s "$out" "$ROOTFS$place"
    run -0 in_full --workdir "$place/new" pwd
    [ -d "$ROOTFS$out/new" ]
    assert_equal "$(ls "$out")" ""
    rm -r "$ROOTFS$place" "${ROOTFS:?}${out:?}"

    mkdir "$BATS_TEST_TMPDIR/root"
    mount --bind "$ROOTFS" "$BATS_TEST_TMPDIR/root"
    mount -o remount,bind,ro "$BATS_TEST_TMPDIR/root"
    expect_error 125 "$place: Read-only file system" "$full" run "${alone[@]}" -w "$place" "$BATS_TEST_TMPDIR/root" true
    umount "$BATS_TEST_TMPDIR/root"
    [ ! -e "$ROOTFS$place" ]
    make_rootfs user
    run -0 as_user "$full" run "${alone[@]}" -w "$place/a" "$ROOTFS" pwd
    assert_equal "$output $(stat -c '%a %u' "$ROOTFS$place/a")" "$place/a 755 65534"
    rm -r "${ROOTFS:?}$place"
}

@test "--volume: seen inside and written to, and with :ro only seen" {
    mkdir "$BATS_TEST_TMPDIR/data"
    echo text >"$BATS_TEST_TMPDIR/data/file"
    run -0 in_full --volume "$BATS_TEST_TMPDIR/data:/data" 'cat /data/file; echo back >/data/back'
    assert_equal "$output" text
    assert_equal "$(<"$BATS_TEST_TMPDIR/data/back")" back
    run ! in_full --volume "$BATS_TEST_TMPDIR/data:/data:ro" 'cat /data/file; echo no >/data/no'
    assert_contains "$output" text
    assert_contains "$output" "Read-only file system"
    [ ! -e "$BATS_TEST_TMPDIR/data/no" ]
}

@test "--volume: a source that is missing, and malformed ones, are errors" {
    expect_error 125 "No such file or directory" \
        "$full" run "${alone[@]}" --volume "$BATS_TEST_TMPDIR/none:/data" "$ROOTFS" true
    expect_error 125 "expected SOURCE:TARGET" "$full" run "${alone[@]}" --volume /usr "$ROOTFS" true
    expect_error 125 "absolute path" "$full" run "${alone[@]}" --volume /usr: "$ROOTFS" true
    expect_error 125 "absolute path" "$full" run "${alone[@]}" --volume /usr:data "$ROOTFS" true
}

@test "--volume: a symbolic link in the root filesystem can't lead it out" {
    local victim=$BATS_TEST_TMPDIR/victim link
    mkdir "$victim"
    make_bare_root
    ln -s "$victim" "$ROOT/absolute"
    ln -s "../../../../../../../../../../../..$victim" "$ROOT/climbing"
    for link in absolute climbing absolute/below climbing/below; do
        run "$full" run "${alone[@]}" --volume "/usr/bin:/$link" "$ROOT" /bin/probe ids
        assert_equal "$(ls -A "$victim")" ""
    done
}

@test "a link for /proc, /dev or /sys in the root filesystem is an error, wherever it leads" {
    local victim=$BATS_TEST_TMPDIR/victim name goal before
    mkdir "$victim"
    for name in proc dev sys; do
        rm -rf "$BATS_TEST_TMPDIR/root"
        make_bare_root
        before=$(</proc/self/mountinfo)
        for goal in "$victim" bin / nowhere; do
            ln -sfn "$goal" "$ROOT/$name"
            expect_error 125 "/$name: Too many levels of symbolic links" \
                "$full" run "${alone[@]}" "$ROOT" /bin/probe ids
            assert_hint "replace it with a directory"
        done
        assert_equal "$(ls -A "$victim")$(ls "$ROOT/bin")" probe
        assert_equal "$(</proc/self/mountinfo)" "$before"
    done
}

@test "--read-only: nothing in the root can be written, but volumes can" {
    mkdir "$BATS_TEST_TMPDIR/data"
    run ! in_full --read-only 'echo >/file'
    assert_contains "$output" "Read-only file system"
    [ ! -e "$ROOTFS/file" ]
    mkdir -p "$ROOTFS/data"
    run -0 in_full --read-only --volume "$BATS_TEST_TMPDIR/data:/data" 'echo >/data/file'
    [ -e "$BATS_TEST_TMPDIR/data/file" ]
}

@test "nothing is left of a box, and what a killed one leaves is removed by the next run" {
    local boxes=/run/ten-steps/boxes before
    run -0 in_full true
    before=$(ls "$boxes" 2>/dev/null || true) # what other checks have left, named and so kept
    run -0 in_full true
    assert_equal "$(ls "$boxes" 2>/dev/null)" "$before"
    start_box full run "${alone[@]}" "$ROOTFS" sleep 60
    assert_differ "$(ls "$boxes")" "$before"
    stop_boxes
    run -0 in_full true
    assert_equal "$(ls "$boxes" 2>/dev/null)" "$before"
}

@test "bad roots and commands: each its line and its status" {
    echo >"$BATS_TEST_TMPDIR/file"
    expect_error 125 "a command is missing" "$full"
    expect_error 125 "unknown command 'fly'" "$full" fly
    expect_error 125 "a root directory is missing" "$full" run
    expect_error 125 "No such file or directory" "$full" run "${alone[@]}" "$BATS_TEST_TMPDIR/none"
    expect_error 125 "$BATS_TEST_TMPDIR/file" "$full" run "${alone[@]}" "$BATS_TEST_TMPDIR/file" true
    expect_error 127 "No such file or directory" "$full" run "${alone[@]}" "$ROOTFS" /no/such/program
    expect_error 126 "Permission denied" "$full" run "${alone[@]}" "$ROOTFS" /etc/passwd
    expect_error 125 "Invalid argument" "$full" run "${alone[@]}" --hostname "$(printf %065d 1)" "$ROOTFS" true
}

@test "without a shell in the root the hint says how to get one" {
    mkdir "$BATS_TEST_TMPDIR/empty"
    expect_error 127 "/bin/sh" "$full" run "${alone[@]}" "$BATS_TEST_TMPDIR/empty"
    assert_hint mkrootfs
}

@test "the tools of the chapters, chained, make what full run makes at once" {
    make_rootfs
    # What a box looks like from outside.
    describe() {
        local kind
        for kind in mnt uts pid ipc; do
            [ "$(namespace_of "$BOX_PID" $kind)" = "$(namespace_of $$ $kind)" ] || echo "own $kind"
        done
        echo "root $(stat -L -c %d:%i "/proc/$BOX_PID/root")"
        echo "name $(inside "$BOX_PID" uts -- uname -n)"
        sed -E 's/^[0-9]+ [0-9]+ [0-9:]+ ([^ ]+) ([^ ]+) .* - ([^ ]+) .*/mount \2 \3/' \
            "/proc/$BOX_PID/mountinfo" | grep -E '/(|dev|dev/pts|dev/shm|proc) ' | sort
        find "/proc/$BOX_PID/root/dev/" -xdev -printf 'device %P %y %l\n' | sort
    }
    start_box full run "${alone[@]}" --userns host --init --hostname bird "$ROOTFS" sleep 60
    local at_once chained
    at_once=$(describe)
    start_command "$(tool ipc)" "$(tool uts)" --hostname bird "$(tool pid)" --init \
        "$(tool mnt)" --root "$ROOTFS" --dev --bind /proc:/proc sleep 60
    chained=$(describe)
    diff <(echo "$at_once") <(echo "$chained")
    assert_contains "$at_once" "own ipc"
}
