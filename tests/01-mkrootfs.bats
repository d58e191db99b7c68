#!/usr/bin/env bats
# Chapter 1, the other half: a root filesystem made of this machine's own programs.
# shellcheck disable=SC2030,SC2031,SC2034 # each check is a subshell of its own; RUN_LIMIT is for run
load lib/helpers

RUN_LIMIT=600 # two hundred programs and more to copy take a busy machine its time

setup() {
    host_remember
    new=$BATS_TEST_TMPDIR/new
    mkdir "$BATS_TEST_TMPDIR/bin"
    chmod 711 "$BATS_TEST_TMPDIR"
}

mkrootfs() {
    run -0 "$(tool mkrootfs)" "$@"
    assert_equal "$output" ""
}

# in_root COMMAND…: a command in the new root, not by our own chroot
in_root() {
    run -0 chroot "$new" "$@"
}

# a_script NAME TEXT: a program of one's own, which no root filesystem can have by chance
a_script() {
    printf '#!/bin/sh\necho %s\n' "$2" >"$BATS_TEST_TMPDIR/bin/$1"
    chmod 755 "$BATS_TEST_TMPDIR/bin/$1"
}

@test "the everyday programs that the machine has run in it" {
    requires root
    mkrootfs "$new"
    local program
    for program in sh ls cat ps ip mount hostname ipcs id env grep sed awk; do
        ! type -P "$program" >/dev/null || in_root /bin/sh -c "command -v $program"
    done
    in_root ls /
    in_root mount --version
    in_root awk 'BEGIN { print 6 * 7 }'
    assert_equal "$output" 42
    in_root id -un
    assert_equal "$output" root
}

@test "no program in it lacks a library" {
    requires root
    mkrootfs "$new"
    local loader
    loader=$(LC_ALL=C ldd "$(command -v ls)" | sed -n 's/^[[:space:]]*\(\/[^ ]*ld-[^ ]*\).*/\1/p')
    in_root /bin/sh -c "for p in /usr/bin/* /usr/sbin/*; do $loader --list \$p; done 2>/dev/null"
    assert_contains "$output" libc
    refute_contains "$output" "not found"
}

@test "the directories to mount on are empty, and have the right modes" {
    mkrootfs "$new" true
    local name
    for name in proc sys dev tmp run root home mnt var/tmp; do
        [ -d "$new/$name" ] || fail "there is no $name"
        assert_equal "$(ls -A "$new/$name")" ""
    done
    assert_equal "$(stat -c %a "$new/tmp" "$new/var/tmp" "$new/root" "$new/etc")" \
        $'1777\n1777\n700\n755'
    grep -q '^root:x:0:0:' "$new/etc/passwd"
    grep -q '^root:x:0:' "$new/etc/group"
    [ -f "$new/etc/nsswitch.conf" ]
}

@test "a program behind a link is copied once, together with the link" {
    requires root
    local text
    text=$(random_name)
    a_script one "$text"
    ln -s one "$BATS_TEST_TMPDIR/bin/two"
    mkrootfs "$new" "$BATS_TEST_TMPDIR/bin/two" sh
    assert_equal "$(readlink "$new/$BATS_TEST_TMPDIR/bin/two")" "$BATS_TEST_TMPDIR/bin/one"
    in_root "$BATS_TEST_TMPDIR/bin/two"
    assert_equal "$output" "$text"
}

@test "a script brings the program that its first line names" {
    requires root
    local text
    text=$(random_name)
    a_script told "$text"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH mkrootfs "$new" told
    in_root "$BATS_TEST_TMPDIR/bin/told"
    assert_equal "$output" "$text"
}

@test "no copy has a setuid bit" {
    cp "$(type -P true)" "$BATS_TEST_TMPDIR/bin/strong"
    chmod 6755 "$BATS_TEST_TMPDIR/bin/strong"
    mkrootfs "$new" "$BATS_TEST_TMPDIR/bin/strong"
    assert_equal "$(stat -c %a "$new/$BATS_TEST_TMPDIR/bin/strong")" 755
    assert_equal "$(find "$new" -type f -perm /6000)" ""
}

@test "an ordinary user can make one, and owns all of it" {
    requires userns
    mkdir "$BATS_TEST_TMPDIR/own"
    chown 65534 "$BATS_TEST_TMPDIR/own"
    new=$BATS_TEST_TMPDIR/own/new
    as_user "$(tool mkrootfs)" "$new"
    assert_equal "$(find "$new" ! -user 65534)" ""
    run -0 as_user unshare --user --map-root-user chroot "$new" /bin/sh -c 'ls / && id -un'
    assert_equal "${lines[-1]}" root
}

@test "one that exists already stays as it is, edits and all" {
    mkrootfs "$new" true
    local mine
    mine=$(random_name)
    echo "$mine" >"$new/etc/hosts"
    run -0 "$(tool mkrootfs)" "$new" true cat
    assert_contains "$output" "exists already"
    assert_equal "$(cat "$new/etc/hosts")" "$mine"
    [ ! -e "$new$(realpath "$(type -P cat)")" ]
}

@test "any other directory, a file and a missing parent are refused and left alone" {
    mkdir "$new"
    expect_error 125 "$new: exists already, and was not made by mkrootfs" "$(tool mkrootfs)" "$new"
    assert_hint "does not exist yet"
    assert_equal "$(ls -A "$new")" ""
    [ ! -e "$new.new" ]
    expect_error 125 "exists already" "$(tool mkrootfs)" /
    touch "$BATS_TEST_TMPDIR/file"
    expect_error 125 "exists already" "$(tool mkrootfs)" "$BATS_TEST_TMPDIR/file"
    expect_error 125 "No such file" "$(tool mkrootfs)" "$BATS_TEST_TMPDIR/missing/new"
    expect_error 125 "missing directory" "$(tool mkrootfs)"
    rmdir "$new"
    run -125 "$(tool mkrootfs)" --view "$new"
    [ ! -e "$new" ]
}

@test "a missing program is an error, reported before anything is created" {
    expect_error 125 "no such program" "$(tool mkrootfs)" "$new" sh "$(random_name)"
    expect_error 125 "not a program" "$(tool mkrootfs)" "$new" /etc/passwd
    [ ! -e "$new" ]
}

@test "anything but a program is an error, a directory too" {
    local name
    for name in "" / /usr . /dev/null; do
        expect_error 125 "program" "$(tool mkrootfs)" "$new" "$name"
    done
    [ ! -e "$new" ]
}

@test "a place where the user may not write is an error, and the hint names sudo" {
    requires root
    mkdir -m 700 "$BATS_TEST_TMPDIR/closed"
    expect_error 125 "Permission denied" as_user "$(tool mkrootfs)" "$BATS_TEST_TMPDIR/closed/new"
    assert_hint sudo
    refute_contains "${stderr_lines[1]}" "chapter 6"
    mkdir "$BATS_TEST_TMPDIR/disk"
    mount -t tmpfs -o ro disk "$BATS_TEST_TMPDIR/disk"
    expect_error 125 "Read-only file system" "$(tool mkrootfs)" "$BATS_TEST_TMPDIR/disk/new"
    umount "$BATS_TEST_TMPDIR/disk"
}

@test "a program that the user can't read is an error" {
    requires root
    cp "$(type -P true)" "$BATS_TEST_TMPDIR/bin/secret"
    chmod 711 "$BATS_TEST_TMPDIR/bin/secret"
    mkdir -m 777 "$BATS_TEST_TMPDIR/open"
    expect_error 125 "Permission denied" as_user "$(tool mkrootfs)" "$BATS_TEST_TMPDIR/open/new" \
        "$BATS_TEST_TMPDIR/bin/secret"
    assert_hint "able to read"
}

@test "a full disk is an error, and nothing is left" {
    requires root
    mkdir "$BATS_TEST_TMPDIR/disk"
    mount -t tmpfs -o size=1m disk "$BATS_TEST_TMPDIR/disk"
    expect_error 125 "No space left on device" "$(tool mkrootfs)" "$BATS_TEST_TMPDIR/disk/new"
    assert_equal "$(ls -A "$BATS_TEST_TMPDIR/disk")" ""
    umount "$BATS_TEST_TMPDIR/disk"
}

@test "Ctrl-C leaves nothing; after kill -9 the next run names what to remove" {
    local signal half=$new.new
    for signal in INT KILL; do
        env --default-signal=INT "$(tool mkrootfs)" "$new" 3>&- & # the shell lets its background ignore it
        wait_until 5 test -e "$half/etc/passwd"
        kill -"$signal" "$!"
        wait "$!" || true
        [ ! -e "$new" ]
        [ "$signal" = KILL ] || [ ! -e "$half" ] || fail "$half is left"
    done
    expect_error 125 "File exists" "$(tool mkrootfs)" "$new" true
    assert_hint "rm -r $half"
    wait_until 5 rm -rf "$half" # a cp that it had begun may end after it
    mkrootfs "$new" true
}

@test "--explain prints the commands that do the same" {
    local script=$BATS_TEST_TMPDIR/bin/told other=$BATS_TEST_TMPDIR/other
    a_script told hello
    run -0 --separate-stderr "$(tool mkrootfs)" --explain "$new" "$script"
    assert_equal "$output" ""
    assert_contains "$stderr" "cp $script $new.new$script"
    # typed in, in their order, they make the same files
    sed -n 's/^host# //p' <<<"$stderr" | grep -v '^ldd' | sed "s|$new|$other|g" >"$other.sh"
    run -0 bash -e "$other.sh"
    assert_equal "$(cd "$other" && find . -type f -path "*lib*" -exec cksum {} + | sort)" \
        "$(cd "$new" && find . -type f -path "*lib*" -exec cksum {} + | sort)"
    assert_equal "$(cd "$other" && find . -printf '%p %m\n' | sort)" "$(cd "$new" && find . -printf '%p %m\n' | sort)"
}

@test "--explain, and nobody reads on: nothing is left" {
    local shell
    for shell in bash dash; do
        command -v "$shell" || continue
        run "$shell" -c "$shell"' "$0" --explain "$1" true 2>&1 | head -n 1' "$(tool mkrootfs)" "$new"
        assert_equal "$output" "host# mkdir $new.new"
        wait_until 5 test ! -e "$new.new"
        [ ! -e "$new" ]
    done
}
