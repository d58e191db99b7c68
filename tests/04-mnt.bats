#!/usr/bin/env bats
# Chapter 4: mounts, pivot_root, /dev.
load lib/helpers

# Is there a mount of PID's with this mount point (field 5) or root (field 4)?
has_mount() {
    cut -d' ' -f5 "/proc/$1/mountinfo" | grep -qxF -- "$2"
}

lacks_mount() {
    ! has_mount "$@"
}

in_box() {
    inside "$BOX_PID" mount -- "$@"
}

@test "the command has its own mount namespace, and shares all others with the host" {
    start_box mnt sleep 60
    assert_isolated "$BOX_PID" mnt
    assert_shared "$BOX_PID" uts pid ipc user net cgroup
}

@test "private: no mount travels between host and box" {
    start_box mnt sleep 60
    mkdir "$BATS_TEST_TMPDIR"/{inside,outside}
    in_box mount -t tmpfs none "$BATS_TEST_TMPDIR/inside"
    mount -t tmpfs none "$BATS_TEST_TMPDIR/outside"
    has_mount "$BOX_PID" "$BATS_TEST_TMPDIR/inside"
    lacks_mount self "$BATS_TEST_TMPDIR/inside"
    lacks_mount "$BOX_PID" "$BATS_TEST_TMPDIR/outside"
    umount "$BATS_TEST_TMPDIR/outside"
}

@test "private: what the host unmounts stays in the box, and can be removed from the host" {
    mkdir "$BATS_TEST_TMPDIR/place"
    mount -t tmpfs none "$BATS_TEST_TMPDIR/place"
    start_box mnt sleep 60
    umount "$BATS_TEST_TMPDIR/place"
    has_mount "$BOX_PID" "$BATS_TEST_TMPDIR/place"
}

# bats test_tags=ex:4-2
@test "--root: the directory is the root, as seen from outside" {
    make_bare_root
    start_box mnt --root "$ROOT" /bin/probe pause
    assert_equal "$(stat -L -c %d:%i "/proc/$BOX_PID/root")" "$(stat -c %d:%i "$ROOT")"
    assert_equal "$(stat -L -c %d:%i "/proc/$BOX_PID/cwd")" "$(stat -c %d:%i "$ROOT")"
}

# bats test_tags=ex:4-2
@test "--root: the working directory under any name" {
    make_bare_root
    cd "$ROOT/bin"
    run -0 "$(tool mnt)" --root .. /bin/probe exit 0
    cd ..
    local name
    for name in . ./ bin/.. "../${ROOT##*/}"; do
        run -0 "$(tool mnt)" --root "$name" /bin/probe exit 0
    done
}

# A root directory with any name, in which a program has the same path as on the host: it starts with
# and without another root. Then the box's mount of it, and those on that mount, one mount point a line.
start_box_in_directory() {
    NAME=$(random_name)
    ROOT=$BATS_TEST_TMPDIR/$NAME
    mkdir -p "$ROOT${PROBE%/*}" "$ROOT/disk"
    cp "$PROBE" "$ROOT$PROBE"
    "${ON_HOST[@]}" mount -t tmpfs disk "$ROOT/disk"
    start_box mnt --root "$ROOT" "$PROBE" pause
    "${ON_HOST[@]}" umount "$ROOT/disk"
    mapfile -t mounts < <(awk -v name="/$NAME" 'substr($4, length($4) - length(name) + 1) == name { root = $1; print $5 }
        $2 == root { print $5 }' "/proc/$BOX_PID/mountinfo")
}

# bats test_tags=core,ex:4-1
@test "--root: the directory becomes a mount, in the box alone" {
    start_box_in_directory
    [ -n "${mounts[0]-}" ] || fail "expected a mount of the directory $NAME in the box, got none"
    run -1 grep "/$NAME " "$HOST_PROC/mountinfo"
}

# bats test_tags=ex:4-1
@test "--root: what is mounted below the directory comes along" {
    start_box_in_directory
    [[ ${mounts[1]-} == */disk ]] || fail "expected the tmpfs on $NAME/disk in the box, too, got none"
}

# bats test_tags=core,ex:4-2
@test "--root: the old root is gone, nothing of the host is mounted any more" {
    make_bare_root
    start_box mnt --root "$ROOT" /bin/probe pause
    assert_equal "mounts in the box: $(wc -l <"/proc/$BOX_PID/mountinfo")" "mounts in the box: 1"
    assert_equal "$(cut -d' ' -f5 "/proc/$BOX_PID/mountinfo")" /
    assert_equal "$(stat -L -c %d:%i "/proc/$BOX_PID/root")" "$(stat -c %d:%i "$ROOT")"
}

# bats test_tags=ex:4-2
@test "--root: the classic way out of chapter 1 leads nowhere" {
    make_bare_root
    local secret
    secret=$(random_name)
    echo "$secret" >"$BATS_TEST_TMPDIR/secret"
    install "$COURSE/01-chroot/escape" "$ROOT/bin"
    run -1 "$(tool mnt)" --root "$ROOT" /bin/escape /bin/probe cat "$BATS_TEST_TMPDIR/secret"
    refute_contains "$output" "$secret"
    assert_contains "$output" "No such file"
}

# bats test_tags=ex:4-2
@test "--root: the host's own root and mounts stay as they were" {
    make_bare_root
    local before place
    before=$(<"$HOST_PROC/mountinfo")
    place=$(stat -L -c %d:%i "$HOST_PROC/root")
    start_box mnt --root "$ROOT" --dev --tmpfs /tmp --bind /usr:/usr /bin/probe pause
    assert_equal "$(<"$HOST_PROC/mountinfo")" "$before"
    assert_equal "$(stat -L -c %d:%i "$HOST_PROC/root")" "$place"
}

# bats test_tags=ex:4-2
@test "--bind: a directory of the host can be read and written inside" {
    make_bare_root
    mkdir "$BATS_TEST_TMPDIR/data"
    local secret
    secret=$(random_name)
    echo "$secret" >"$BATS_TEST_TMPDIR/data/file"
    run -0 "$(tool mnt)" --root "$ROOT" --bind "$BATS_TEST_TMPDIR/data:/new/place" \
        /bin/probe cat /new/place/file
    assert_equal "$output" "$secret"
    run -0 "$(tool mnt)" --root "$ROOT" --bind "$BATS_TEST_TMPDIR/data:/new/place" \
        /bin/probe write /new/place/back "$secret"
    assert_equal "$(<"$BATS_TEST_TMPDIR/data/back")" "$secret"
}

# bats test_tags=ex:4-2
@test "--bind with :ro: the box can read but not write; the host still writes" {
    make_bare_root
    mkdir "$BATS_TEST_TMPDIR/data"
    echo text >"$BATS_TEST_TMPDIR/data/file"
    run -0 "$(tool mnt)" --root "$ROOT" --bind "$BATS_TEST_TMPDIR/data:/data:ro" \
        /bin/probe cat /data/file
    run -1 "$(tool mnt)" --root "$ROOT" --bind "$BATS_TEST_TMPDIR/data:/data:ro" \
        /bin/probe write /data/file other
    assert_contains "$output" "Read-only file system"
    assert_equal "$(<"$BATS_TEST_TMPDIR/data/file")" text
    echo more >"$BATS_TEST_TMPDIR/data/file"
}

@test "--bind with :ro: what is mounted below it is read-only too" {
    make_bare_root
    mkdir -p "$BATS_TEST_TMPDIR/data/below"
    mount -t tmpfs none "$BATS_TEST_TMPDIR/data/below"
    echo below >"$BATS_TEST_TMPDIR/data/below/there"
    run -0 "$(tool mnt)" --root "$ROOT" --bind "$BATS_TEST_TMPDIR/data:/data:ro" \
        /bin/probe cat /data/below/there
    run -1 "$(tool mnt)" --root "$ROOT" --bind "$BATS_TEST_TMPDIR/data:/data:ro" \
        /bin/probe write /data/below/file text
    assert_contains "$output" "Read-only file system"
    umount "$BATS_TEST_TMPDIR/data/below"
}

@test "--bind: a single file" {
    make_bare_root
    echo one >"$BATS_TEST_TMPDIR/file"
    run -0 "$(tool mnt)" --root "$ROOT" --bind "$BATS_TEST_TMPDIR/file:/etc/file" \
        /bin/probe cat /etc/file
    assert_equal "$output" one
}

@test "--bind without --root: it covers the host's own directory, and the host does not notice" {
    mkdir "$BATS_TEST_TMPDIR"/{from,to}
    echo inside >"$BATS_TEST_TMPDIR/from/file"
    run -0 "$(tool mnt)" --bind "$BATS_TEST_TMPDIR/from:$BATS_TEST_TMPDIR/to" \
        cat "$BATS_TEST_TMPDIR/to/file"
    assert_equal "$output" inside
    [ ! -e "$BATS_TEST_TMPDIR/to/file" ]
}

@test "--bind without --root: a missing target is an error, and is not created" {
    expect_error 125 "No such file or directory" \
        "$(tool mnt)" --bind "/usr:$BATS_TEST_TMPDIR/none" true
    [ ! -e "$BATS_TEST_TMPDIR/none" ]
}

@test "later mounts lie on top of earlier ones, in the order of the command line" {
    make_bare_root
    mkdir "$BATS_TEST_TMPDIR/data"
    echo under >"$BATS_TEST_TMPDIR/data/file"
    run -1 "$(tool mnt)" --root "$ROOT" --bind "$BATS_TEST_TMPDIR/data:/data/deep" --tmpfs /data \
        /bin/probe cat /data/deep/file
    run -0 "$(tool mnt)" --root "$ROOT" --tmpfs /data --bind "$BATS_TEST_TMPDIR/data:/data/again" \
        /bin/probe cat /data/again/file
    run -0 "$(tool mnt)" --root "$ROOT" --tmpfs /data --bind "$BATS_TEST_TMPDIR/data://data/./" \
        /bin/probe cat /data/file
}

@test "a target that is not absolute is an error" {
    make_bare_root
    expect_error 125 "expected an absolute path" "$(tool mnt)" --root "$ROOT" --bind /usr:usr true
    expect_error 125 "expected an absolute path" "$(tool mnt)" --root "$ROOT" --tmpfs "" true
}

@test "a target that is the root itself is an error" {
    make_bare_root
    expect_error 125 "is the root itself" "$(tool mnt)" --root "$ROOT" --tmpfs / true
    expect_error 125 "is the root itself" "$(tool mnt)" --root "$ROOT" --bind /etc:/./ true
    expect_error 125 "is the root itself" "$(tool mnt)" --root "$ROOT" --tmpfs /.. true
    expect_error 125 "busy" "$(tool mnt)" --root / true
    assert_hint "the root already"
}

# bats test_tags=ex:4-1
@test "a malformed bind, or one whose source is missing, is an error" {
    make_bare_root
    expect_error 125 "expected SOURCE:TARGET" "$(tool mnt)" --bind /usr true
    expect_error 125 "No such file or directory" "$(tool mnt)" --bind :/usr true
    expect_error 125 "expected an absolute path" "$(tool mnt)" --bind /usr: true
    expect_error 125 "options ro, rw, noexec or nosuid" "$(tool mnt)" --bind /usr:/mnt:rx true
    expect_error 125 "options ro, rw, noexec or nosuid" "$(tool mnt)" --bind /usr:/mnt:dev true
    expect_error 125 "No such file or directory" \
        "$(tool mnt)" --root "$ROOT" --bind "$BATS_TEST_TMPDIR/none:/mnt" true
}

# bats test_tags=ex:4-1
@test "a file mounted on a directory is an error, and the other way round" {
    make_bare_root
    mkdir "$ROOT/directory"
    echo >"$ROOT/file"
    expect_error 125 "Invalid argument" "$(tool mnt)" --root "$ROOT" --bind /usr:/file true
    assert_hint "a directory can only cover a directory"
    expect_error 125 "Invalid argument" "$(tool mnt)" --root "$ROOT" --bind /etc/passwd:/directory true
    assert_hint "a file a file"
}

@test "a root that is missing, or a file, is an error" {
    expect_error 125 "No such file or directory" "$(tool mnt)" --root "$BATS_TEST_TMPDIR/none" true
    echo >"$BATS_TEST_TMPDIR/file"
    expect_error 125 "$BATS_TEST_TMPDIR/file" "$(tool mnt)" --root "$BATS_TEST_TMPDIR/file" true
}

# bats test_tags=ex:4-1
@test "a command that isn't in the root ends with 127" {
    make_bare_root
    expect_error 127 "No such file or directory" "$(tool mnt)" --root "$ROOT" /bin/nothing
}

@test "--tmpfs: empty, writable, and unseen by the host" {
    mkdir "$BATS_TEST_TMPDIR/place"
    echo host >"$BATS_TEST_TMPDIR/place/file"
    start_box mnt --tmpfs "$BATS_TEST_TMPDIR/place" sleep 60
    grep -q " $BATS_TEST_TMPDIR/place .* - tmpfs " "/proc/$BOX_PID/mountinfo"
    assert_equal "$(in_box ls -A "$BATS_TEST_TMPDIR/place")" ""
    in_box touch "$BATS_TEST_TMPDIR/place/inside"
    assert_equal "$(ls -A "$BATS_TEST_TMPDIR/place")" file
}

@test "--tmpfs with docker's options: they take effect; by default no programs and no devices" {
    make_bare_root
    start_box mnt --root "$ROOT" --tmpfs /a --tmpfs /b:size=64k,mode=0710,uid=12,gid=34,exec,suid,dev \
        --tmpfs /c:ro,size=50% --tmpfs /d:ro,rw,noexec,exec /bin/probe pause
    assert_equal "$(sed -En 's/.* (\/[abcd]) (\S+) .* tmpfs .*/\1 \2/p' "/proc/$BOX_PID/mountinfo")" \
        '/a rw,nosuid,nodev,noexec,relatime
/b rw,relatime
/c ro,nosuid,nodev,noexec,relatime
/d rw,nosuid,nodev,relatime'
    cd "/proc/$BOX_PID/root"
    assert_equal "$(stat -c '%n %a %u:%g' a b c)" $'a 1777 0:0\nb 710 12:34\nc 1777 0:0'
    assert_equal "$(($(stat -fc '%b * %S' b)))" 65536
    assert_equal "$(ls "$ROOT" | tr '\n' ' ')" "a b bin c d "
}

@test "--tmpfs: unknown and malformed options are errors, and nothing is created" {
    make_bare_root
    local options
    for options in nonsense size= size=1x size=1mb size=-1 mode=8 uid=root gid= '' ro,,rw; do
        expect_error 125 "Invalid argument" "$(tool mnt)" --root "$ROOT" --tmpfs "/new:$options" /bin/probe pwd
    done
    assert_equal "$(ls "$ROOT")" bin
}

@test "--dev: the devices that every program expects, with the right numbers and open to all" {
    make_bare_root
    start_box mnt --root "$ROOT" --dev /bin/probe pause
    local dev=/proc/$BOX_PID/root/dev
    assert_equal "$(cd "$dev" && stat -c '%n %F %t:%T %a' full null random tty urandom zero)" \
        "full character special file 1:7 666
null character special file 1:3 666
random character special file 1:8 666
tty character special file 5:0 666
urandom character special file 1:9 666
zero character special file 1:5 666"
    assert_equal "$(readlink "$dev"/{fd,stdin,stdout,stderr} | tr '\n' ' ')" \
        "/proc/self/fd /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 "
}

# bats test_tags=ex:4-1
@test "--dev: it is an error if /dev is a link, wherever it leads" {
    make_bare_root
    mkdir "$ROOT/elsewhere"
    local target
    for target in elsewhere /elsewhere nowhere /dev /proc/self; do
        ln -sfn "$target" "$ROOT/dev"
        expect_error 125 "target $ROOT/dev: Too many levels of symbolic links" \
            "$(tool mnt)" --root "$ROOT" --dev /bin/probe pwd
        assert_hint "replace it with a directory"
    done
    assert_equal "$(ls -A "$ROOT/elsewhere")" ""
    [ ! -e "$ROOT/nowhere" ]
}

@test "a device file in the root or in a bind opens no device; one in the box's own /dev does" {
    make_bare_root
    local place options
    mkdir -p "$ROOT/below" "$BATS_TEST_TMPDIR/data/below"
    mount -t tmpfs none "$ROOT/below"
    mount -t tmpfs none "$BATS_TEST_TMPDIR/data/below"
    for place in "$ROOT" "$ROOT/below" "$BATS_TEST_TMPDIR/data" "$BATS_TEST_TMPDIR/data/below"; do
        mknod -m 666 "$place/device" c 1 3
        "$PROBE" write "$place/device" text
    done
    options=(--root "$ROOT" --bind "$BATS_TEST_TMPDIR/data:/data")
    for place in / /below /data /data/below; do
        run -1 "$(tool mnt)" "${options[@]}" /bin/probe write "$place/device" text
        assert_contains "$output" "Permission denied"
    done
    run -1 "$(tool mnt)" "${options[@]}" --bind "$BATS_TEST_TMPDIR/data:/more:ro" /bin/probe write /more/device text
    run -0 "$(tool mnt)" "${options[@]}" --dev /bin/probe write /dev/null text
    # Without a root of one's own, that of the host is as it was.
    run -1 "$(tool mnt)" --bind "$BATS_TEST_TMPDIR/data:/mnt" "$PROBE" write /mnt/device text
    run -0 "$(tool mnt)" "$PROBE" write "$BATS_TEST_TMPDIR/data/device" text
    umount "$ROOT/below" "$BATS_TEST_TMPDIR/data/below"
}

@test "--dev: none of the machine's other devices" {
    make_bare_root
    start_box mnt --root "$ROOT" --dev /bin/probe pause
    assert_equal "$(stat -c %F "/proc/$BOX_PID/root/dev/"* | grep -c 'special file')" 6
}

@test "--dev: the devices work" {
    make_rootfs
    run -0 "$(tool mnt)" --root "$ROOTFS" --dev sh -c '
        echo gone >/dev/null &&
        [ "$(head -c 3 /dev/zero | od -An -tx1)" = " 00 00 00" ] &&
        [ "$(head -c 8 /dev/urandom | wc -c)" = 8 ] &&
        ! echo full >/dev/full'
}

@test "--dev: root in the box can write to the host's devices but not change their owner or mode" {
    make_rootfs
    local before
    before=$(stat -c '%a %u:%g' /dev/null)
    run "$(tool mnt)" --root "$ROOTFS" --dev /bin/sh -c \
        'echo lost >/dev/null && echo written; chmod 604 /dev/null; chown 7:7 /dev/null'
    assert_contains "$output" written
    assert_equal "$(stat -c '%a %u:%g' /dev/null)" "$before"
}

@test "--dev: the box has its own pseudo-terminals and shared memory" {
    make_rootfs
    start_box mnt --root "$ROOTFS" --dev sleep 60
    grep -q ' /dev/pts .* - devpts ' "/proc/$BOX_PID/mountinfo"
    grep -q ' /dev/shm .* - tmpfs ' "/proc/$BOX_PID/mountinfo"
    assert_equal "$(ls "/proc/$BOX_PID/root/dev/pts")" ptmx
    run -0 inside "$BOX_PID" mount -- sh -c 'exec 9<>/dev/ptmx && ls /dev/pts'
    assert_contains "$output" 0
    inside "$BOX_PID" mount -- touch /dev/shm/inside
    [ ! -e /dev/shm/inside ]
}

@test "--dev: the flags, modes and sizes of what is mounted, whatever the caller's umask" {
    make_bare_root
    # shellcheck disable=SC2016 # for that shell
    start_command sh -c 'umask 077; exec "$@"' sh "$(tool mnt)" --root "$ROOT" --dev /bin/probe pause
    assert_equal "$(awk '$5 ~ "^/dev(/pts|/shm)?$" { print $5, $6 }' "/proc/$BOX_PID/mountinfo")" \
        '/dev rw,nosuid,noexec,relatime
/dev/pts rw,nosuid,noexec,relatime
/dev/shm rw,nosuid,nodev,relatime'
    assert_contains "$(grep ' /dev/pts ' "/proc/$BOX_PID/mountinfo")" "mode=620,ptmxmode=666"
    cd "/proc/$BOX_PID/root"
    assert_equal "$(stat -c '%n %a' dev dev/mqueue dev/pts dev/shm | xargs)" \
        "dev 755 dev/mqueue 755 dev/pts 755 dev/shm 1777"
    assert_equal "$(($(stat -fc '%b * %S' dev))) $(($(stat -fc '%b * %S' dev/shm)))" "1048576 67108864"
    assert_equal "$(status_of "$BOX_PID" Umask)" 0077
}

@test "--dev: a terminal of the box is in the box's own /dev/pts" {
    requires command:script
    make_rootfs
    run "$(tool mnt)" --root "$ROOTFS" --dev --bind /proc:/proc --bind /usr/bin/script:/script \
        /script -qec tty /dev/null
    assert_contains "$output" /dev/pts/0
}

@test "--dev in a user namespace: the host's devices are bound, and work" {
    requires userns
    make_rootfs user
    run -0 as_user "$(tool user)" "$(tool mnt)" --root "$ROOTFS" --dev sh -c '
        echo gone >/dev/null && head -c 3 /dev/zero && echo own >/dev/shm/own && ls /dev/pts'
    start_command as_user "$(tool user)" "$(tool mnt)" --root "$ROOTFS" --dev sleep 60
    grep -q ' /dev/null .* - ' "/proc/$BOX_PID/mountinfo"
}

@test "--dev in a user namespace without --root: the host's devices in a new /dev" {
    requires userns
    run -0 as_user "$(tool user)" "$(tool mnt)" --dev sh -c \
        'echo gone >/dev/null && head -c 3 /dev/zero | wc -c && echo own >/dev/shm/own'
    assert_equal "$output" 3
    [ ! -e /dev/shm/own ]
}

# bats test_tags=ex:4-3
@test "--read-only: the root can't be written to, but mounts below it can" {
    make_bare_root
    run -1 "$(tool mnt)" --root "$ROOT" --read-only /bin/probe write /file text
    assert_contains "$output" "Read-only file system"
    run -0 "$(tool mnt)" --root "$ROOT" --read-only --tmpfs /tmp /bin/probe write /tmp/file text
    touch "$ROOT/file"
}

# bats test_tags=core,ex:4-3
@test "--read-only: the box's mount of its root is, as seen from outside, and the host's directory is not" {
    make_bare_root
    start_box mnt --root "$ROOT" --read-only /bin/probe pause
    assert_isolated "$BOX_PID" mnt
    assert_equal "$(stat -L -c %d:%i "/proc/$BOX_PID/root")" "$(stat -c %d:%i "$ROOT")"
    run -0 cut -d' ' -f5,6 "/proc/$BOX_PID/mountinfo"
    [[ $output == "/ ro,"* ]]
    touch "$ROOT/file"
}

# bats test_tags=ex:4-3
@test "--read-only without --root: the host's root stays writable on the host" {
    make_rootfs
    # The play host's own root is read-only anyway: here is one that isn't.
    # shellcheck disable=SC2016 # that shell's variables
    run -0 "${ON_HOST[@]}" unshare --mount sh -c '
        mount --bind "$0" "$0" && mount --bind "$1" "$0/mnt" || exit
        chroot "$0" /mnt/mnt --read-only /probe write /file text
        chroot "$0" /probe write /file text' "$ROOTFS" "$(dirname "$(tool mnt)")"
    assert_contains "$output" "Read-only file system"
    rm "$ROOTFS/file"
}

@test "an ordinary user learns why it fails, and the way out" {
    expect_error 125 "Operation not permitted" as_user "$(tool mnt)" true
    assert_hint root
}
