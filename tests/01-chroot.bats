#!/usr/bin/env bats
# Chapter 1: another root directory, and all that it does not isolate.
load lib/helpers

setup() {
    host_remember
    make_bare_root
    root=$ROOT
}

# bats test_tags=core,ex:1-1
@test "the command's root directory is NEWROOT, as seen from outside" {
    start_box chroot "$root" /bin/probe pause
    assert_equal "$(readlink "/proc/$BOX_PID/root")" "$root"
}

# bats test_tags=core,ex:1-2
@test "its working directory lies inside the new root" {
    cd /usr
    start_box chroot "$root" /bin/probe pause
    assert_equal "$(readlink "/proc/$BOX_PID/cwd")" "$root"
}

# bats test_tags=ex:1-1
@test "a file of the host no longer has a name, and one inside has" {
    local secret
    secret=$(random_name)
    echo "$secret" >"$BATS_TEST_TMPDIR/secret"
    run -1 "$(tool chroot)" "$root" /bin/probe cat "$BATS_TEST_TMPDIR/secret"
    refute_contains "$output" "$secret"
    echo "$secret" >"$root/inside"
    run -0 "$(tool chroot)" "$root" /bin/probe cat /inside
    assert_equal "$output" "$secret"
}

# bats test_tags=ex:1-1
@test "nothing else is isolated: every namespace is still the host's" {
    start_box chroot "$root" /bin/probe pause
    assert_shared "$BOX_PID" mnt uts pid ipc user net cgroup
}

# bats test_tags=ex:1-1
@test "processes are shared: the command sees and ends a process of the host" {
    "${ON_HOST[@]}" sleep 60 3>&- &
    local victim=$!
    wait_until 5 box_runs "$victim"
    run -0 "$(tool chroot)" "$root" /bin/probe kill "$(host_number "$(last_descendant "$victim")")" TERM
    wait_until 5 ended "$victim"
    status=0
    wait "$victim" || status=$?
    assert_equal "$status" 143
}

# bats test_tags=ex:1-1
@test "the environment is passed on" {
    local secret
    secret=$(random_name)
    run -0 env "SENTINEL=$secret" "$(tool chroot)" "$root" /bin/probe env SENTINEL
    assert_equal "$output" "$secret"
}

# bats test_tags=ex:1-1
@test "the network is shared: the command reaches a port on the host's loopback" {
    "$PROBE" listen 7171 3>&- >"$BATS_TEST_TMPDIR/heard" &
    TOOL_PIDS+=("$!")
    wait_until 5 grep -q ready "$BATS_TEST_TMPDIR/heard"
    run -0 "$(tool chroot)" "$root" /bin/probe connect 7171
}

# bats test_tags=ex:1-3
@test "escape climbs out of the chroot, and leaves nothing in it" {
    local secret before
    secret=$(random_name)
    echo "$secret" >"$BATS_TEST_TMPDIR/secret"
    install "$(program escape)" "$root/bin"
    before=$(ls "$root")
    run -0 "$(tool chroot)" "$root" /bin/escape cat "$BATS_TEST_TMPDIR/secret"
    assert_equal "$output" "$secret"
    run -0 "$(tool chroot)" "$root" /bin/escape <<<"cat $BATS_TEST_TMPDIR/secret"
    assert_equal "$output" "$secret"
    assert_equal "$(ls "$root")" "$before"
}

# bats test_tags=core,ex:1-3
@test "what escape starts has the host's root directory, as seen from outside" {
    requires tool:escape
    install "$(program escape)" "$root/bin"
    start_command "${ON_HOST[@]}" chroot "$root" /bin/escape "$PROBE" pause
    wait_until 5 cmp -s "/proc/$BOX_PID/exe" "$PROBE"
    assert_equal "$(stat -L -c %d:%i "/proc/$BOX_PID/root")" "$(stat -L -c %d:%i "$HOST_PROC/root")"
}

# bats test_tags=ex:1-1
@test "a script's interpreter is looked up inside" {
    printf '#!/bin/probe args\n' >"$root/bin/script"
    chmod +x "$root/bin/script"
    run -0 "$(tool chroot)" "$root" /bin/script one
    assert_contains "$output" "/bin/script"
}

@test "a missing operand is an error" {
    expect_error 125 "missing directory" "$(tool chroot)"
}

# bats test_tags=ex:1-1
@test "a root that is missing is an error" {
    expect_error 125 "No such file or directory" "$(tool chroot)" "$root/none" true
}

# bats test_tags=ex:1-1
@test "a root that is a file is an error" {
    echo >"$root/file"
    expect_error 125 "Not a directory" "$(tool chroot)" "$root/file" true
}

@test "a command that isn't in the root ends with 127" {
    expect_error 127 "No such file or directory" "$(tool chroot)" "$root" /bin/nothing
}

# bats test_tags=ex:1-1
@test "without a shell in the root the hint names mkrootfs" {
    expect_error 127 "/bin/sh" "$(tool chroot)" "$root"
    assert_hint mkrootfs
}

# bats test_tags=ex:1-1
@test "a program whose interpreter is missing ends with 127, and the hint names the cause" {
    cp /bin/ls "$root/bin/ls"
    expect_error 127 "No such file or directory" "$(tool chroot)" "$root" /bin/ls
    assert_hint "/bin/ls is there, but the loader or interpreter"
    printf '#!/bin/perl-of-old\n' >"$root/bin/script"
    chmod +x "$root/bin/script"
    expect_error 127 "No such file or directory" "$(tool chroot)" "$root" /bin/script
    assert_hint "/bin/script is there, but the loader or interpreter"
}

# bats test_tags=ex:1-1
@test "a program whose library is missing ends with 127, and its loader names the library" {
    local loader
    loader=$(ldd /bin/ls | grep -o '/[^ ]*/ld-[^ ]*')
    mkdir -p "$root${loader%/*}"
    cp "$loader" "$root$loader"
    cp /bin/ls "$root/bin/ls"
    run -127 "$(tool chroot)" "$root" /bin/ls
    assert_contains "$output" "error while loading shared libraries: lib"
}

# bats test_tags=ex:1-1
@test "a command that is not executable ends with 126" {
    echo data >"$root/bin/data"
    expect_error 126 "Permission denied" "$(tool chroot)" "$root" /bin/data
    expect_error 126 "Permission denied" "$(tool chroot)" "$root" /bin
}

# bats test_tags=ex:1-1
@test "a fifo in place of a program does not block the tool" {
    mkfifo -m 755 "$ROOT/bin/fifo"
    expect_error 126 "Permission denied" timeout 10 "$(tool chroot)" "$ROOT" /bin/fifo
}

# bats test_tags=ex:1-1
@test "a program for another machine, or a script without #!, ends with 126, and no shell runs it" {
    cp "$PROBE" "$root/bin/foreign"
    printf '\xfe\xfe' | dd of="$root/bin/foreign" bs=1 seek=18 conv=notrunc # e_machine, see elf(5)
    echo "echo ran" >"$root/bin/plain"
    chmod +x "$root/bin/plain"
    local program
    for program in foreign plain; do
        expect_error 126 "Exec format error" "$(tool chroot)" "$root" "/bin/$program"
        assert_hint "neither a program for this machine nor a script"
        expect_error 126 "Exec format error" "$(tool uts)" "$root/bin/$program"
    done
}

# bats test_tags=ex:1-2
@test "the command is looked up along PATH, where an empty name is the working directory" {
    mkdir -p "$root/first/run" "$root/second"
    cp "$PROBE" "$root/second/run"
    echo data >"$root/first/data"
    ln "$root/second/run" "$root/run"
    run -0 env PATH=/first:/second "$(tool chroot)" "$root" run exit 0
    run -0 env PATH=/first: "$(tool chroot)" "$root" run exit 0
    expect_error 126 "Permission denied" env PATH=/first:/second "$(tool chroot)" "$root" data
    assert_hint /first/data
    expect_error 127 "No such file or directory" env PATH=/first "$(tool chroot)" "$root" run
    expect_error 127 "No such file or directory" env PATH=/first "$(tool chroot)" "$root" ""
}

@test "without PATH the command is looked for in the usual directories" {
    run -0 env --unset=PATH "$(tool chroot)" "$root" probe exit 0
    mkdir -p "$root/usr/local/bin"
    mv "$root/bin/probe" "$root/usr/local/bin/there"
    run -0 env --unset=PATH "$(tool chroot)" "$root" there exit 0
}

# bats test_tags=ex:1-1
@test "an ordinary user may not call chroot, and the hint names the way out" {
    expect_error 125 "Operation not permitted" as_user "$(tool chroot)" /usr true
    assert_hint root
}
