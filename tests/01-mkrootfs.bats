#!/usr/bin/env bats
# Chapter 1, the other half: a root filesystem made of this machine's own programs.
# shellcheck disable=SC2030,SC2031 # each check is a subshell of its own
load helpers

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

@test "the everyday programs run in it" {
    requires root
    mkrootfs "$new"
    local program
    for program in sh ls cat ps ip mount hostname ipcs id env grep sed awk; do
        in_root /bin/sh -c "command -v $program"
    done
    in_root ls /
    in_root ip link
    in_root hostname
    in_root ipcs
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

@test "the directories to mount on are empty, and open to whom they should be" {
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

@test "a program with two names is there once, and the link with it" {
    requires root
    local text
    text=$(random_name)
    a_script one "$text"
    ln -s one "$BATS_TEST_TMPDIR/bin/two"
    mkrootfs "$new" "$BATS_TEST_TMPDIR/bin/two" sh
    assert_equal "$(readlink "$new/$BATS_TEST_TMPDIR/bin/two")" one
    in_root "$BATS_TEST_TMPDIR/bin/two"
    assert_equal "$output" "$text"
}

@test "a script brings what its first line names" {
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
    as_user "$(tool mkrootfs)" "$new"
    run -0 as_user unshare --user --map-root-user chroot "$new" /bin/sh -c 'ls / && id -un'
    assert_equal "${lines[-1]}" root
}

@test "a second run renews and adds, and keeps what was edited" {
    requires root
    mkrootfs "$new" cat sleep sh
    echo "nameserver 192.0.2.1" >"$new/etc/resolv.conf"
    echo broken >"$new/$(realpath "$(type -P cat)")"
    chroot "$new" sleep 60 3>&- &
    local old=$!
    wait_until 5 grep -q sleep "/proc/$old/comm"
    mkrootfs "$new" cat sleep env
    in_root cat /etc/resolv.conf
    assert_equal "$output" "nameserver 192.0.2.1"
    in_root env cat /etc/hosts
    # what was running keeps the file that it was started from
    assert_contains "$(readlink "/proc/$old/exe")" "(deleted)"
    kill "$old"
    wait "$old" || true
}

@test "a directory with something else in it is refused and left as it was" {
    mkdir "$new"
    echo mine >"$new/file"
    expect_error 125 "$new: has something in it that is not mkrootfs's" "$(tool mkrootfs)" "$new"
    assert_hint "empty directory"
    assert_equal "$(ls -A "$new")" file
}

@test "the host's root, a file, and a place that isn't there are refused" {
    expect_error 125 "own root directory" "$(tool mkrootfs)" /
    ln -s / "$BATS_TEST_TMPDIR/link"
    expect_error 125 "own root directory" "$(tool mkrootfs)" "$BATS_TEST_TMPDIR/link"
    touch "$BATS_TEST_TMPDIR/file"
    expect_error 125 "Not a directory" "$(tool mkrootfs)" "$BATS_TEST_TMPDIR/file"
    expect_error 125 "No such file" "$(tool mkrootfs)" "$BATS_TEST_TMPDIR/missing/new"
    expect_error 125 "a directory is missing" "$(tool mkrootfs)"
    run -125 "$(tool mkrootfs)" --view "$new"
    [ ! -e "$new" ]
}

@test "a program that isn't there is an error, told before anything is made" {
    expect_error 125 "no such program" "$(tool mkrootfs)" "$new" sh "$(random_name)"
    expect_error 125 "not a program" "$(tool mkrootfs)" "$new" /etc/passwd
    [ ! -e "$new" ]
}

@test "what is not a program is an error, and no directory is copied as one" {
    local name
    for name in "" / /usr . /dev/null; do
        expect_error 125 "program" "$(tool mkrootfs)" "$new" "$name"
    done
    [ ! -e "$new" ]
}

@test "a place where the user may not write is an error, and sudo the way out" {
    requires root
    mkdir -m 700 "$BATS_TEST_TMPDIR/closed"
    expect_error 125 "Permission denied" as_user "$(tool mkrootfs)" "$BATS_TEST_TMPDIR/closed/new"
    assert_hint sudo
    refute_contains "${stderr_lines[1]}" "chapter 6"
    mkdir "$BATS_TEST_TMPDIR/disk"
    mount -t tmpfs -o ro disk "$BATS_TEST_TMPDIR/disk"
    expect_error 125 "Read-only file system" "$(tool mkrootfs)" "$BATS_TEST_TMPDIR/disk"
    assert_equal "${stderr_lines[1]-}" "" # a hint to remove it would be none
    umount "$BATS_TEST_TMPDIR/disk"
}

@test "a program that the user can't read is an error" {
    requires root
    cp "$(type -P true)" "$BATS_TEST_TMPDIR/bin/secret"
    chmod 711 "$BATS_TEST_TMPDIR/bin/secret"
    mkdir -m 777 "$BATS_TEST_TMPDIR/open"
    expect_error 125 "Permission denied" as_user "$(tool mkrootfs)" "$BATS_TEST_TMPDIR/open/new" \
        "$BATS_TEST_TMPDIR/bin/secret"
    assert_hint "allowed to read"
}

# Who was root in a box may have put links in the way, to get the next run to write on the host.
@test "no link in it leads a later run out" {
    local out=$BATS_TEST_TMPDIR/out link
    mkdir "$out"
    for link in "$out" "../../../../../../../../../..$out"; do
        mkrootfs "$new" true
        rm -r "${new:?}"/{etc,usr/bin,tmp}
        ln -s "$link" "$new/etc"
        ln -s "$link" "$new/usr/bin"
        ln -s "$link" "$new/tmp"
        run "$(tool mkrootfs)" "$new"
        assert_equal "$(ls -A "$out")" ""
        rm -r "$new"
    done
    # nor does a link in the place of a file
    mkrootfs "$new" true
    echo untouched >"$out/file"
    ln -sf "$out/file" "$new/$(realpath "$(type -P true)")"
    rm "$new/etc/passwd"
    ln -s "$out/file" "$new/etc/passwd"
    ln -s "$out/file" "$new/.mkrootfs.new"
    mkrootfs "$new" true
    assert_equal "$(cat "$out/file")" untouched
    [ ! -L "$new/$(realpath "$(type -P true)")" ]
    # nor does one in the place of its own mark
    ln -sf "$out/file" "$new/.mkrootfs"
    expect_error 125 "not mkrootfs's" "$(tool mkrootfs)" "$new" true
    assert_equal "$(ls "$out")" file
}

@test "nothing is written to what is mounted in it" {
    requires root
    mkrootfs "$new" true
    mkdir "$BATS_TEST_TMPDIR/out"
    mount --bind "$BATS_TEST_TMPDIR/out" "$new/usr"
    mount -t proc proc "$new/proc"
    expect_error 125 "cross-device" "$(tool mkrootfs)" "$new" true
    assert_hint "mounted inside"
    umount "$new/usr"
    assert_equal "$(ls -A "$BATS_TEST_TMPDIR/out")" ""
    mkrootfs "$new" true
    umount "$new/proc"
}

@test "a full disk is told, and leaves no half a file" {
    requires root
    mkdir "$BATS_TEST_TMPDIR/disk"
    mount -t tmpfs -o size=1m disk "$BATS_TEST_TMPDIR/disk"
    expect_error 125 "No space left on device" "$(tool mkrootfs)" "$BATS_TEST_TMPDIR/disk/new"
    assert_hint "no room"
    [ ! -e "$BATS_TEST_TMPDIR/disk/new/.mkrootfs.new" ]
    mount -o remount,size=500m "$BATS_TEST_TMPDIR/disk"
    new=$BATS_TEST_TMPDIR/disk/new
    mkrootfs "$new"
    in_root ls /
    umount "$BATS_TEST_TMPDIR/disk"
}

@test "what a killed run has left is removed by the next, and two don't meet" {
    mkrootfs "$new" true
    echo half >"$new/.mkrootfs.new"
    exec {lock}<"$new/.mkrootfs"
    flock "$lock"
    expect_error 125 "another mkrootfs is at work" "$(tool mkrootfs)" "$new" true
    exec {lock}<&-
    mkrootfs "$new" true
    assert_equal "$(find "$new" -name '.mkrootfs*')" "$new/.mkrootfs"
}

@test "--explain tells the commands that do the same" {
    local script=$BATS_TEST_TMPDIR/bin/told other=$BATS_TEST_TMPDIR/other
    a_script told hello
    run -0 "$(tool mkrootfs)" --explain "$new" "$script"
    assert_contains "$output" "cp $script $new$script"
    # typed in, in their order, they make the same files
    mkdir "$other"
    sed -n "s/^host# \(.*[^ ]\)   *[a-z_]*(.*/\1/p" <<<"$output" | grep -v -- --list >"$other.sh"
    sed -i "s|$new/|$other/|g" "$other.sh"
    run -0 sh -e "$other.sh"
    assert_equal "$(cd "$other" && find . -type f -path "*lib*" -exec cksum {} + | sort)" \
        "$(cd "$new" && find . -type f -path "*lib*" -exec cksum {} + | sort)"
}
